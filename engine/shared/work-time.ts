// Deadlines of computations by the processor time that they had: on a busy machine a clock says nothing about the work.
import { processes } from '../platform/processes.ts'

/** Tells how many seconds of processor time this process has had since it was called, all threads together. */
export function processorClock(): () => number {
  const before = processes.processorSeconds()
  return () => processes.processorSeconds() - before
}
