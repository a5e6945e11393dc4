// GPU memory of a run with several processes.
import { planMemory } from '../graph/memory.ts'
import type { Plan } from '../graph/plan.ts'
import { learnerMemory } from '../learners/learner-memory.ts'
import { homeMemory, workerMemory } from '../over/part-memory.ts'

/** The processes of a run. Without workers and learners one process does all. */
export interface Processes {
  /** Those that share each update, the first of them included. */
  readonly learners: number
  /** Workers of each part; undefined when the parts run in the first process. */
  readonly workers?: number
  /** The GPUs that they take in turn; without names, one. */
  readonly gpus?: readonly string[]
}

/** GPU memory that the processes of a run plan on the GPU that takes most; the first process is on the first GPU. */
export function bytesOnGpu(plan: Plan, { learners, workers, gpus = [''] }: Processes): number {
  const isDivided = workers !== undefined && plan.parts.length > 0
  const on = new Map<string, number>()
  const add = (rank: number, bytes: number) => {
    const gpu = gpus[rank % gpus.length] ?? ''
    on.set(gpu, (on.get(gpu) ?? 0) + bytes)
  }
  add(0, (isDivided ? homeMemory(plan) : planMemory(plan)).bytes)
  const learner = learners > 1 ? learnerMemory(plan).bytes : 0
  for (let rank = 1; rank < learners; rank++) add(rank, learner)
  const worker = isDivided ? plan.parts.reduce((sum, part) => sum + workerMemory(plan, part).bytes, 0) : 0
  for (let rank = 0; rank < (workers ?? 0); rank++) add(rank, worker)
  return Math.max(...on.values())
}
