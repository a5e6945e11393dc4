import { Ajv, type ErrorObject } from 'ajv'
import { near } from '../did-you-mean.ts'
import { type Problem, show } from '../problem.ts'
import { at, dotted, type Path } from './graph-file.ts'
import { type Schema, schemaAt } from './schema.ts'

/** A rule that a value breaks, at a path below that value. */
export interface Violation {
  path: Path
  /** Whether the key is wrong (an unknown name) or its value. */
  part: 'key' | 'value'
  /** The key that is missing. */
  missing?: string
  code: Extract<Problem['code'], 'structure' | 'unknown-key' | 'missing-key'>
  rule: string
  found?: string
  hint?: string
  nearest?: string
  /** What to write, where the rule says it. */
  remedy?: string
}

/** A key that is missing is there under a wrong name, which is reported. */
export const isMisspelled = ({ path, missing }: Violation, all: readonly Violation[]): boolean =>
  missing !== undefined &&
  all.some(
    ({ code, path: other, nearest }) =>
      code === 'unknown-key' && nearest === missing && dotted(other.slice(0, -1)) === dotted(path),
  )

const options = {
  allErrors: true,
  useDefaults: true,
  strict: true,
  strictTypes: false,
  strictRequired: false,
  verbose: true,
} as const
// The schema of schemas is compiled once, since that takes longer than most schemas. An Ajv keeps every schema that it
// compiles, so each schema of a graph, which may be needed only once, gets an Ajv of its own that can be freed.
const rules = new Ajv(options)

/** A validator of one schema: fills defaults into the value and returns everything that is wrong with it. */
export type Validator = (value: unknown) => Violation[]

export function validator(schema: Schema): Validator {
  rules.validateSchema(schema, true)
  const check = new Ajv({ ...options, meta: false, validateSchema: false }).compile(schema)
  return value => {
    if (check(value)) return []
    // `if` only says that its branch failed, and `propertyNames` repeats what its inner rule said
    const errors = (check.errors ?? []).filter(
      error => error.keyword !== 'if' && error.keyword !== 'propertyNames',
    )
    return errors.map(error => violation(schema, value, error))
  }
}

function violation(schema: Schema, root: unknown, error: ErrorObject): Violation {
  const path = pathOf(error.instancePath, root)
  const { params, data } = error
  switch (error.keyword) {
    case 'required':
      return {
        path,
        part: 'value',
        code: 'missing-key',
        missing: String(params.missingProperty),
        rule: `must have "${params.missingProperty}"`,
        hint: schemaAt(schema, [...path, params.missingProperty])?.description ?? '',
      }
    case 'additionalProperties': {
      const key = String(params.additionalProperty)
      return unknownKey([...path, key], key, Object.keys(error.parentSchema?.properties ?? {}))
    }
    case 'enum':
      if (error.propertyName !== undefined) {
        return unknownKey([...path, error.propertyName], error.propertyName, params.allowedValues)
      }
      return wrong(
        schema,
        path,
        `must be one of ${params.allowedValues.map(show).join(', ')}`,
        data,
        params.allowedValues,
      )
    case 'const':
      return wrong(schema, path, `must be ${show(params.allowedValue)}`, data)
    case 'pattern':
      if (error.propertyName !== undefined) {
        const rule = 'must be a name: a letter, then letters, digits, "_" or "-"'
        return {
          path: [...path, error.propertyName],
          part: 'key',
          code: 'structure',
          rule,
          found: show(error.propertyName),
        }
      }
      return wrong(schema, path, patternRule(String(params.pattern)), data)
    case 'type':
      return wrong(schema, path, `must be ${typeNames(params.type)}`, data)
    case 'minItems':
      return wrong(
        schema,
        path,
        `must have at least ${params.limit} item${params.limit === 1 ? '' : 's'}`,
        data,
      )
    case 'minProperties':
      return wrong(schema, path, `must have at least ${params.limit} key`, data)
    default:
      return wrong(schema, path, error.message ?? `must meet "${error.keyword}"`, data)
  }
}

function wrong(
  schema: Schema,
  path: Path,
  rule: string,
  data: unknown,
  allowed: readonly unknown[] = [],
): Violation {
  const names = allowed.filter(name => typeof name === 'string')
  const close = typeof data === 'string' ? near(data, names) : { hint: '' }
  const help = 'nearest' in close ? close : { hint: schemaAt(schema, path)?.description ?? '' }
  const remedy = 'nearest' in close ? undefined : remedyFor(rule, data)
  return {
    path,
    part: 'value',
    code: 'structure',
    rule,
    found: show(data),
    ...help,
    ...(remedy !== undefined && { remedy }),
  }
}

/** What to write instead of a value that breaks a rule, where that is clear. */
export function remedyFor(rule: string, data: unknown): string | undefined {
  const text = typeof data === 'string' ? data.trim() : undefined
  const asks = (type: string) => new RegExp(`\\b${type}\\b`).test(rule)
  if (/^must be an? /.test(rule) && text !== undefined) {
    const isNumber = text !== '' && Number.isFinite(Number(text))
    if (isNumber && (asks('number') || (asks('whole number') && Number.isInteger(Number(text)))))
      return asks('whole number') && !Number.isInteger(Number(text))
        ? 'write a whole number, without quotes'
        : `write ${text} without quotes`
    if (asks('boolean') && /^(true|false)$/i.test(text)) return `write ${text.toLowerCase()} without quotes`
    if (asks('array')) return `write [${show(data)}]`
  }
  if (/^must be a string$/.test(rule) && ['number', 'boolean'].includes(typeof data))
    return `write "${String(data)}", in quotes`
  const [, sign, limit] = /^must be (>=|<=|>|<) (\S+)$/.exec(rule) ?? []
  if (sign !== undefined) {
    const words = {
      '>=': `${limit} or more`,
      '<=': `${limit} or less`,
      '>': `more than ${limit}`,
      '<': `less than ${limit}`,
    }
    return `write ${words[sign as keyof typeof words]}`
  }
  const [, only] = /^must be ([\d"].*)$/.exec(rule) ?? []
  if (only !== undefined) return `write ${only}`
  if (rule.startsWith('must be one of')) return 'write one of these'
  if (rule === 'must not be empty') return 'write a text'
  if (/^must have at least/.test(rule)) return 'add one'
  const types = /^must be (an? .*)$/.exec(rule)?.[1]
  return types === undefined ? undefined : `write ${types}`
}

function unknownKey(path: Path, key: string, allowed: readonly string[]): Violation {
  const rule = 'must be a known key'
  return { path, part: 'key', code: 'unknown-key', rule, found: show(key), ...near(key, allowed) }
}

/** What the end of an edge breaks that is no `node.port`. */
export const endRule = 'must be "node.port"'

function patternRule(pattern: string): string {
  if (pattern === '\\S') return 'must not be empty'
  if (pattern.includes('\\.')) return endRule
  return `must match ${pattern}`
}

function typeNames(type: unknown): string {
  const types = Array.isArray(type) ? type : String(type).split(',')
  return types
    .map(name => (name === 'integer' ? 'a whole number' : /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`))
    .join(' or ')
}

/** A JSON pointer into `root` as steps: numbers in lists, keys in objects. */
function pathOf(pointer: string, root: unknown): Path {
  const path: (string | number)[] = []
  let here = root
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    const step = Array.isArray(here) ? Number(key) : key
    path.push(step)
    here = at(here, step)
  }
  return path
}
