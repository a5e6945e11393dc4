import { isObject } from '../../shared/json.ts'
import { nearest } from '../did-you-mean.ts'
import { at, dotted, type Path } from '../file/graph-file.ts'
import { type Schema, schemaAt } from '../file/schema.ts'
import { validator } from '../file/validate.ts'
import { locate } from '../flatten/flat.ts'
import { lookUp } from '../look-up.ts'
import type { KindCheck, PlannedNode, Registry } from '../plan.ts'
import { type Problem, sentence, show } from '../problem.ts'
import { detailsOf, type EdgeTypes } from './types.ts'

/** The checks of a node's inputs that items of any kind reach, by port: those whose kind has a schema. */
export function kindChecks(
  { operator, wires }: Pick<PlannedNode, 'operator' | 'wires'>,
  types: EdgeTypes,
  { kinds = {} }: Registry,
): Record<string, KindCheck> {
  const open = wires.filter(({ from }) => types.resolved(from)?.kind === 'any')
  const ports = [...new Set(open.map(({ port }) => port))]
  return Object.fromEntries(
    ports.flatMap(port => {
      const input = lookUp(operator.inputs, port)
      const check = input === undefined ? undefined : checkFor(detailsOf(input).kind, kinds)
      return check ? [[port, check]] : []
    }),
  )
}

/** The checks of what an operator of a plugin emits, by port: those whose kind has a schema. Undefined: it is of no plugin. */
export function emissionChecks(
  { name, operator, operatorName }: Pick<PlannedNode, 'name' | 'operator' | 'operatorName'>,
  types: EdgeTypes,
  { kinds = {}, modules = {} }: Registry,
): PlannedNode['plugin'] {
  const module = lookUp(modules, operatorName)
  if (module === undefined) return undefined
  const emits = Object.keys(operator.outputs).flatMap(port => {
    const check = checkFor(types.resolved({ node: name, port })?.kind ?? '', kinds)
    return check ? [[port, check] as const] : []
  })
  return { module, emits: Object.fromEntries(emits) }
}

/**
 * Refuses edges whose items lack fields that the kind of their input must have, where the config of the node that makes them decides
 * which fields they have. An item that is passed on is told of once.
 */
export function checkFields(
  nodes: readonly PlannedNode[],
  types: EdgeTypes,
  { kinds = {} }: Registry,
  problems: Problem[],
): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const edges = nodes.flatMap(node =>
    node.wires.map(wire => ({ node, wire, maker: types.origin(wire.from) })),
  )
  const isDirect = ({ wire, maker }: (typeof edges)[number]) => wire.from.node === maker?.node
  const told = new Set<string>()
  for (const { node, wire, maker } of [...edges.filter(isDirect), ...edges.filter(edge => !isDirect(edge))]) {
    const source = maker?.port.kind === 'any' ? byName.get(maker.node) : undefined
    const fields = source?.operator.gives?.(source.config)
    const input = lookUp(node.operator.inputs, wire.port)
    const kind = typeof input === 'string' ? input : (input?.kind ?? '')
    const needed = lookUp(kinds, kind)?.required ?? []
    const lacking = fields ? needed.filter(name => !fields.includes(name)) : []
    if (!source || !fields || lacking.length === 0 || told.has(`${source.name} ${kind}`)) continue
    told.add(`${source.name} ${kind}`)
    problems.push({
      code: 'kind-mismatch',
      ...locate(wire.at),
      rule: `must carry "${kind}" for the input "${wire.port}", whose items have ${needed.join(', ')}`,
      found: `items with only ${fields.join(', ')}, which "${source.name}" (${source.operatorName}) makes: ${lacking.join(', ')} ${lacking.length > 1 ? 'are' : 'is'} missing`,
      remedy:
        'keep' in source.operator.config
          ? `set "keep": true in the config of "${source.name}", which keeps the other fields of its items, or make these fields there`
          : `add these fields to the config of "${source.name}"`,
    })
  }
}

function checkFor(kind: string, kinds: NonNullable<Registry['kinds']>): KindCheck | undefined {
  const schema = lookUp(kinds, kind)
  return schema && checkOf(kind, schema)
}

const compiled = new WeakMap<Schema, KindCheck>()

function checkOf(kind: string, schema: Schema): KindCheck {
  const known = compiled.get(schema)
  if (known) return known
  const validate = validator(schema)
  const check: KindCheck = value => {
    const faults = validate(value).map(({ path, missing, rule, found, hint }) => {
      const where = path.length > 0 ? `${dotted(path)}: ` : ''
      const meant = missing === undefined ? undefined : misspelt(missing, value, path, schema)
      if (meant !== undefined)
        return where + sentence({ rule, found: show(meant), hint: `nearest "${missing}"` })
      return where + sentence({ rule, ...(found !== undefined && { found }), ...(hint && { hint }) })
    })
    return faults.length > 0 ? `must be of kind "${kind}": ${faults.join('; ')}` : undefined
  }
  compiled.set(schema, check)
  return check
}

/** The field that an object has in the place of one that is missing: none of its kind, with the nearest name. */
function misspelt(missing: string, root: unknown, path: Path, schema: Schema): string | undefined {
  const object = path.reduce(at, root)
  const known = Object.keys(schemaAt(schema, path)?.properties ?? {})
  return nearest(
    missing,
    Object.keys(isObject(object) ? object : {}).filter(name => !known.includes(name)),
  )
}
