import { isObject } from '../../shared/json.ts'
import { near } from '../did-you-mean.ts'
import { type Problem, show } from '../problem.ts'
import { coerce } from './coerce.ts'
import { dotted, type Path, type Source } from './graph-file.ts'
import { graphSchema } from './graph-schema.ts'
import type { Param, Params } from './params.ts'
import { schemaAt } from './schema.ts'

/** The parts of a graph in which `${name}` means something. */
const sections = ['resources', 'nodes', 'checkpoint'] as const

/** A graph's value with params put in, and where they went, for later checks. */
export interface Interpolated {
  /** The whole graph's value. */
  readonly value: Record<string, unknown>
  /** The same value for the manifest: in it, values from the environment stay `${env:NAME}`. */
  readonly shown: Record<string, unknown>
  /** Paths whose value came from a param or `--set`: their text may still be coerced to the type of the field. */
  readonly substituted: Set<string>
  /** Paths that have no value because their param has none or is unknown, which has been reported. */
  readonly holes: Set<string>
  /** Paths whose value came from the environment: no message shows it. */
  readonly secrets: Set<string>
  /** Paths that `--set` gave, as messages name them. */
  readonly given: Map<string, Pick<Problem, 'place' | 'path'>>
  readonly problems: Problem[]
}

/** Puts params into every string of `resources` and `nodes`; a param that no string uses is a problem. */
export function interpolate(source: Source, params: Params): Interpolated {
  const top = isObject(source.value) ? source.value : {}
  const substituted = new Set<string>()
  const holes = new Set<string>()
  const secrets = new Set<string>()
  const problems: Problem[] = []
  const used = new Set<string>()

  const text = (value: string, path: Path): { value: unknown; shown: unknown } => {
    const pieces = split(value)
    const values = pieces.map(piece => {
      if (typeof piece === 'string') return { value: piece, shown: piece }
      const param = find(piece.reference, params)
      if (typeof param === 'string') {
        const remedy = source.removed?.includes(piece.reference)
          ? { remedy: `change this value, too, or keep the param, which ${source.file} removes with null` }
          : nearTo(piece.reference, params, value)
        // a declaration that is no object has been reported
        if (!isDeclared(top, piece.reference))
          problems.push({
            code: 'unknown-param',
            place: source.place(path),
            path: dotted(path),
            rule: param,
            found: show(value),
            ...remedy,
          })
        holes.add(dotted(path))
        return { value: piece.reference, shown: piece.reference }
      }
      used.add(param.name)
      if (param.secret) secrets.add(dotted(path))
      if (param.value === undefined) holes.add(dotted(path))
      return { value: param.value, shown: param.secret ? `\${env:${param.env}}` : param.value }
    })
    if (pieces.some(piece => typeof piece !== 'string')) substituted.add(dotted(path))
    const [first] = values
    if (values.length === 1 && first) {
      const schema = schemaAt(graphSchema, path)
      return { value: coerce(first.value, schema), shown: coerce(first.shown, schema) }
    }
    return {
      value: values.map(v => asText(v.value)).join(''),
      shown: values.map(v => asText(v.shown)).join(''),
    }
  }
  const walk = (value: unknown, path: Path): { value: unknown; shown: unknown } => {
    if (typeof value === 'string') return text(value, path)
    if (Array.isArray(value)) {
      const items = value.map((item, i) => walk(item, [...path, i]))
      return { value: items.map(item => item.value), shown: items.map(item => item.shown) }
    }
    if (isObject(value)) {
      const entries = Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])] as const)
      return {
        value: Object.fromEntries(entries.map(([key, item]) => [key, item.value])),
        shown: Object.fromEntries(entries.map(([key, item]) => [key, item.shown])),
      }
    }
    return { value, shown: value }
  }

  const done = sections
    .filter(section => section in top)
    .map(section => [section, walk(top[section], [section])] as const)
  for (const name of params.keys()) {
    if (used.has(name)) continue
    const place = source.place(['params', name], 'key')
    const rule = `must be used: no string of resources or nodes holds "\${${name}}"`
    const isInherited = place.file !== source.file
    const remedy = `it is inherited: use it, or leave it out with "params": { "${name}": null } in ${source.file}`
    problems.push({
      code: 'unused-param',
      place,
      path: `params.${name}`,
      rule,
      ...(isInherited && { remedy }),
    })
  }
  return {
    value: {
      ...structuredClone(top),
      ...Object.fromEntries(done.map(([section, { value }]) => [section, value])),
    },
    shown: {
      ...structuredClone(top),
      ...Object.fromEntries(done.map(([section, { shown }]) => [section, shown])),
    },
    substituted,
    holes,
    secrets,
    given: new Map(),
    problems,
  }
}

const isDeclared = ({ params }: Record<string, unknown>, name: string): boolean =>
  isObject(params) && Object.hasOwn(params, name)

type Piece = string | { reference: string }

/** Text and `${references}` in turn, without empty text. */
function split(text: string): Piece[] {
  const pieces: Piece[] = []
  let end = 0
  for (const match of text.matchAll(/\$\{([^{}]*)\}/g)) {
    if (match.index > end) pieces.push(text.slice(end, match.index))
    const [whole, reference = ''] = match
    pieces.push({ reference: reference.trim() })
    end = match.index + whole.length
  }
  if (end < text.length || pieces.length === 0) pieces.push(text.slice(end))
  return pieces
}

/** The param that a reference means, or the rule that it breaks. */
function find(reference: string, params: Params): Param | string {
  const variable = reference.startsWith('env:') ? reference.slice(4) : undefined
  if (variable === undefined) return params.get(reference) ?? 'must name a param of the graph'
  const declared = [...params.values()].find(param => param.env === variable)
  return declared ?? `must name a variable that a param declares with "env": "${variable}"`
}

/** The nearest name, and the text with it. */
function nearTo(
  reference: string,
  params: Params,
  text: string,
): Pick<Problem, 'hint' | 'nearest' | 'remedy'> {
  const isVariable = reference.startsWith('env:')
  const names = isVariable ? [...params.values()].flatMap(param => param.env ?? []) : [...params.keys()]
  const close = near(isVariable ? reference.slice(4) : reference, names)
  if (close.nearest === undefined) return close
  const meant = `${isVariable ? 'env:' : ''}${close.nearest}`
  return { ...close, remedy: `write ${show(text.replaceAll(`\${${reference}}`, () => `\${${meant}}`))}` }
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
