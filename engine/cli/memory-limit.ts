import { knobsOf, planMemory } from '../graph/memory.ts'
import type { Plan } from '../graph/plan.ts'
import { readBytes, showBytes } from '../shared/bytes.ts'
import { UsageError } from './arguments.ts'
import { bytesOnGpu, type Processes } from './process-memory.ts'

/** Refuses a plan that may need more of a GPU than `--memory` allows, with what to lower. */
export function refuseOverMemory(plan: Plan, limitText: string | undefined, processes: Processes): void {
  if (limitText === undefined) return
  const limit = readBytes(limitText)
  if (limit === undefined)
    throw new UsageError(`--memory: must be bytes such as 8GB or 512MiB, found "${limitText}"`)
  const bytes = bytesOnGpu(plan, processes)
  if (bytes <= limit) return
  const memory = planMemory(plan)
  const knobs = knobsOf(memory).slice(0, 3)
  throw new UsageError(
    [
      `--memory: the run must fit into ${showBytes(limit)}, found a plan of ${showBytes(bytes)}`,
      ...knobs.map(
        ({ part, what, bytes, knob }) => `  lower ${knob}: ${part} takes ${showBytes(bytes)} (${what})`,
      ),
    ].join('\n'),
    'set a lower value for what is named; "flow explain" shows every part',
  )
}
