import type { Plan } from '../graph/plan.ts'
import { readBytes, showBytes } from '../shared/bytes.ts'
import { UsageError } from './arguments.ts'
import { memoryAdvice } from './memory-advice.ts'
import { bytesOnGpu, type Processes } from './process-memory.ts'

/** Refuses a plan that may need more of a GPU than `--memory` allows, with what to lower. */
export function refuseOverMemory(plan: Plan, limitText: string | undefined, processes: Processes): void {
  if (limitText === undefined) return
  const limit = readBytes(limitText)
  if (limit === undefined)
    throw new UsageError(`--memory: must be bytes such as 8GB or 512MiB, found "${limitText}"`)
  const bytes = bytesOnGpu(plan, processes)
  if (bytes <= limit) return
  const { lines, remedy } = memoryAdvice(plan)
  throw new UsageError(
    [
      `--memory: the run must fit into ${showBytes(limit)}, found a plan of ${showBytes(bytes)}`,
      ...lines.map(line => `  ${line}`),
    ].join('\n'),
    remedy,
  )
}
