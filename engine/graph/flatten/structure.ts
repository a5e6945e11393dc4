import { isObject } from '../../shared/json.ts'
import { nearest } from '../did-you-mean.ts'
import { at, dotted, type Source } from '../file/graph-file.ts'
import { graphSchema } from '../file/graph-schema.ts'
import type { Interpolated } from '../file/interpolate.ts'
import { isMisspelled, type Validator, type Violation, validator } from '../file/validate.ts'
import { type Problem, show } from '../problem.ts'
import { foundAt, locate } from './flat.ts'

const validate: Validator = validator(graphSchema)

/** Reports violations of the graph's schema; the result tells whether there is one at a path or inside it. */
export function checkStructure(
  source: Source,
  graph: Interpolated,
  problems: Problem[],
): (...path: string[]) => boolean {
  const wrong = new Set<string>()
  const told = new Set<string>()
  const violations = validate(graph.value)
  for (const violation of violations) {
    const { path, part, missing, found, ...rest } = violation
    for (let steps = 1; steps <= path.length; steps++) wrong.add(dotted(path.slice(0, steps)))
    const isHole = graph.holes.has(dotted(missing === undefined ? path : [...path, missing]))
    if (isHole || isMisspelled(violation, violations)) continue
    const meant = meantBy(violation, graph.value)
    if (meant === undefined) {
      problems.push({ ...rest, ...foundAt(graph, path, found), ...locate({ source, path, graph }, [], part) })
    } else if (!told.has(dotted(path))) {
      told.add(dotted(path))
      // that nothing uses it, or is known of it, follows
      const own = problems.findIndex(
        ({ code, path: other }) => code === 'unused-param' && other === dotted(path),
      )
      if (own >= 0) problems.splice(own, 1)
      const rule = `must be the name of one that there is, or a new ${kinds[String(path[0])]} with "${missing}"`
      const name = String(path[1])
      const place = locate({ source, path, graph }, [], 'key')
      problems.push({
        code: rest.code,
        ...place,
        rule,
        found: show(name),
        hint: `nearest "${meant}"`,
        nearest: meant,
      })
    }
  }
  return (...path) => wrong.has(dotted(path))
}

/** What a section of a graph holds, by its name. */
const kinds: Readonly<Record<string, string>> = { nodes: 'node', resources: 'resource', params: 'param' }

/** The part that a part without what each needs was most likely meant to be: its name is like that of another. */
function meantBy({ path, missing }: Violation, graph: unknown): string | undefined {
  const [section = '', name = ''] = path.map(String)
  if (missing === undefined || path.length !== 2 || !Object.hasOwn(kinds, section)) return undefined
  const parts = at(graph, section)
  const others = Object.entries(isObject(parts) ? parts : {}).filter(
    ([other, part]) => other !== name && isObject(part) && missing in part,
  )
  return nearest(
    name,
    others.map(([other]) => other),
  )
}
