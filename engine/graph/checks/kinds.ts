import { dotted } from '../file/graph-file.ts'
import type { Schema } from '../file/schema.ts'
import { validator } from '../file/validate.ts'
import { lookUp } from '../look-up.ts'
import type { KindCheck, PlannedNode, Registry } from '../plan.ts'
import { sentence } from '../problem.ts'
import type { EdgeTypes } from './types.ts'

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
      const kind = typeof input === 'string' ? input : input?.kind
      const schema = kind === undefined ? undefined : lookUp(kinds, kind)
      return kind === undefined || !schema ? [] : [[port, checkOf(kind, schema)]]
    }),
  )
}

const compiled = new WeakMap<Schema, KindCheck>()

function checkOf(kind: string, schema: Schema): KindCheck {
  const known = compiled.get(schema)
  if (known) return known
  const validate = validator(schema)
  const check: KindCheck = value => {
    const faults = validate(value).map(({ path, rule, found, hint }) => {
      const where = path.length > 0 ? `${dotted(path)}: ` : ''
      return where + sentence({ rule, ...(found !== undefined && { found }), ...(hint && { hint }) })
    })
    return faults.length > 0 ? `must be of kind "${kind}": ${faults.join('; ')}` : undefined
  }
  compiled.set(schema, check)
  return check
}
