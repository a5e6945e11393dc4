import { processes } from '../platform/processes.ts'
import { RunError } from './error.ts'

/**
 * Waits for a promise of code outside the engine. When no timer, file, process or other work is left in this process
 * nothing can settle it any more: Node would end silently. Then the error names what never ended.
 */
export async function settles<T>(what: string, promise: T | Promise<T>): Promise<T> {
  let idle = () => {}
  const never = new Promise<never>((_, reject) => {
    idle = () => reject(new RunError('never-settled', `${what}: never ends: its promise never settles`))
  })
  const stopListening = processes.onIdle(idle)
  try {
    return await Promise.race([promise, never])
  } finally {
    stopListening()
  }
}
