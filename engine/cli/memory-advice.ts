// What to do about a plan that does not fit into memory.
import { planMemory } from '../graph/memory.ts'
import type { Plan } from '../graph/plan.ts'
import { showBytes } from '../shared/bytes.ts'

/** Largest parts that are told. */
const most = 4

/** Settings of flow's own graphs that save memory, from what they save it at. */
const savings: readonly (readonly [param: string, from: unknown, to: string])[] = [
  ['recompute', 'none', 'full'],
  ['lora', 0, '16'],
  ['weights', 'stored', 'int4'],
]

/** The largest parts on the GPU, one a line, and which settings take less. */
export function memoryAdvice(plan: Plan): { lines: string[]; remedy: string } {
  const rows = planMemory(plan).rows.filter(({ device }) => device === 'gpu')
  const largest = rows.sort((a, b) => b.bytes - a.bytes).slice(0, most)
  const settings = savings.flatMap(([param, from, to]) =>
    plan.params[param] === from ? [`--set ${param}=${to}`] : [],
  )
  const lower = largest.some(({ knob }) => knob !== undefined) ? ['lower what is named'] : []
  return {
    lines: largest.map(
      ({ part, what, bytes, knob }) =>
        `${part} takes ${showBytes(bytes)} (${what})${knob === undefined ? '' : `: lower ${knob}`}`,
    ),
    remedy: [...lower, ...settings, '"flow explain" shows every part'].join('; '),
  }
}
