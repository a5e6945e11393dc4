import type { Config, Fields } from '../../operator.ts'
import { isObject } from '../../shared/json.ts'
import { coerce } from '../file/coerce.ts'
import { dotted, type Path } from '../file/graph-file.ts'
import { fieldFor } from '../file/other-names.ts'
import { configSchema, type Schema, schemaAt } from '../file/schema.ts'
import { isMisspelled, type Validator, validator } from '../file/validate.ts'
import { type FlatNode, type FlatResource, foundAt, locate } from '../flatten/flat.ts'
import { lookUp } from '../look-up.ts'
import type { Registry } from '../plan.ts'
import { type Problem, show } from '../problem.ts'

/** Compiling a schema takes long: each operator's is compiled once. */
const checks = new WeakMap<Fields, { schema: Schema; validate: Validator }>()

/** A part's config with defaults filled in and params coerced to the fields' types; reports what the fields refuse. */
export function checkConfig(
  part: FlatNode | FlatResource,
  fields: Fields,
  problems: Problem[],
): Config<Fields> {
  const { schema, validate } = checkOf(fields)
  const { graph, path } = part.at
  const pathOf = (steps: Path) => dotted([...path, 'config', ...steps])
  const coerced = coerceIn(part.config, [], steps => graph.substituted.has(pathOf(steps)), schema)
  const config = isObject(coerced) ? coerced : {}
  const violations = validate(config)
  for (const violation of violations) {
    const { path: steps, part: side, code, missing, found, ...own } = violation
    const rest =
      code === 'unknown-key' && steps.length === 1 ? withOtherName(own, String(steps[0]), fields) : own
    if (isMisspelled(violation, violations)) continue
    if (graph.holes.has(pathOf(missing === undefined ? steps : [...steps, missing]))) continue
    const where = locate(part.at, ['config', ...steps], side)
    // a config that is left out has no place: then that of its node is given
    const place = missing !== undefined && part.at.source.place([...path, 'config'], 'key')
    const type = 'operator' in part ? part.operator : part.resource
    const isInherited = where.place !== undefined && where.place.file !== part.at.source.file
    const act = missing !== undefined ? 'add it' : isInherited ? leaveOut(part, steps) : 'remove it'
    const remedy =
      (rest.nearest === undefined || isInherited) && code !== 'structure'
        ? { remedy: `${act}; "flow ops ${type}" lists the fields` }
        : {}
    const visible = foundAt(graph, [...path, 'config', ...steps], found)
    problems.push({ ...rest, ...remedy, ...visible, code: 'bad-config', ...where, ...(place && { place }) })
  }
  // a config that passed validation has the types that the fields state; one with problems is never used
  return config as Config<Fields>
}

/** An unknown field that other trainers know by this name: the name that it has here. */
function withOtherName<T extends Pick<Problem, 'hint' | 'nearest'>>(
  rest: T,
  name: string,
  fields: Fields,
): T {
  const meant = rest.nearest === undefined ? fieldFor(name, Object.keys(fields)) : undefined
  return meant === undefined ? rest : { ...rest, hint: `here it is "${meant}"`, nearest: meant }
}

/** How a file leaves out what it inherits, such as a setting of an operator that it replaces. */
const leaveOut = ({ at: { source, path } }: FlatNode | FlatResource, steps: Path): string =>
  `it is inherited: leave it out with "config": { "${dotted(steps)}": null } at ${dotted(path)} in ${source.file}`

function checkOf(fields: Fields) {
  const cached = checks.get(fields)
  if (cached) return cached
  const schema = configSchema(fields)
  const check = { schema, validate: validator(schema) }
  checks.set(fields, check)
  return check
}

/** A copy in which values that were given as text have the type that their fields ask for. */
function coerceIn(value: unknown, path: Path, isText: (path: Path) => boolean, schema: Schema): unknown {
  if (isText(path)) return coerce(value, schemaAt(schema, path))
  if (Array.isArray(value)) return value.map((item, i) => coerceIn(item, [...path, i], isText, schema))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, coerceIn(item, [...path, key], isText, schema)]),
  )
}

/** Values that the file states for fields that are not read, because another field turns them off (`when`). */
export function findUnread(part: FlatNode | FlatResource, registry: Registry): Problem[] {
  if (part.broken) return []
  const type =
    'operator' in part ? lookUp(registry.operators, part.operator) : lookUp(registry.resources, part.resource)
  const fields = type?.config ?? {}
  return Object.entries(fields).flatMap(([field, { when = {}, default: fallback }]) => {
    const other = Object.entries(when).find(([key, wanted]) => {
      return (part.config[key] ?? fields[key]?.default) !== wanted
    })
    if (!other || !(field in part.config) || part.config[field] === fallback) return []
    const [key, wanted] = other
    const rule = `must be left out: it is read only when "${key}" is ${show(wanted)}`
    return [{ code: 'unread-config' as const, ...locate(part.at, ['config', field], 'key'), rule }]
  })
}
