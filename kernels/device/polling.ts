/** Turns of the event loop in a row that ask Dawn at once, before a wait counts as long. */
const promptTurns = 8

/** Between two turns of one wait at most. */
const sameWaitMilliseconds = 3

/**
 * Lets Dawn ask for finished work once a millisecond in a long wait. Its Node binding asks in every turn of the event
 * loop, through the global `setImmediate` and with a new native function each time, which keeps one core busy with the
 * polls and with collecting their garbage. On a software adapter the GPU needs this core; with a hardware GPU, collecting the
 * garbage took 8 % of the time of a training, in which the host did not submit. All other callers of `setImmediate` get
 * the original one.
 */
export function pollGently(): void {
  if (isInstalled) return
  isInstalled = true
  const original = globalThis.setImmediate
  const gentle = gentleImmediate(
    original,
    work => setTimeout(work, 1),
    () => performance.now(),
  )
  globalThis.setImmediate = Object.assign(gentle, original) as typeof setImmediate // `original` brings its __promisify__
}

let isInstalled = false

type Work = (...args: unknown[]) => void

/** `immediate`, but a native function without arguments that comes turn after turn is handed to `later`. */
export function gentleImmediate<Handle>(
  immediate: (work: Work, ...args: unknown[]) => Handle,
  later: (work: Work) => unknown,
  now: () => number,
): (work: Work, ...args: unknown[]) => unknown {
  let turns = 0
  let last = Number.NEGATIVE_INFINITY
  return (work, ...args) => {
    if (args.length > 0 || !isNative(work)) return immediate(work, ...args)
    const time = now()
    turns = time - last < sameWaitMilliseconds ? turns + 1 : 0
    last = time
    return turns > promptTurns ? later(work) : immediate(work)
  }
}

/** Whether the function is written in C++, as Dawn's are: bound functions of scripts have a name. */
const isNative = (work: Work): boolean =>
  work.name === '' && Function.prototype.toString.call(work).includes('[native code]')
