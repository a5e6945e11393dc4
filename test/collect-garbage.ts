import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// Node keeps its collector to itself unless a flag asks for it.
setFlagsFromString('--expose-gc')
// the global function that the flag above makes
export const collectNow = runInNewContext('gc') as () => void

/** Collects garbage, and then what was only waiting for that: finalizers run between tasks. */
export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    collectNow()
    await setTimeout(10)
  }
  collectNow()
}
