/** Milliseconds for which kernels compile before that is told, and those between two lines about it. */
const [quietMs, betweenMs] = [5000, 10_000]

/** How many kernels were asked for, and how many of them are not compiled. */
interface Compiling {
  readonly asked: number
  readonly pending: number
}

/**
 * Tells how far the kernels are compiled where that takes long, e.g. on a machine whose driver has not compiled them before. The
 * function that it returns is to be called again and again.
 */
export function compilingLine(
  kernels: Compiling,
  say: (line: string) => void,
  now: () => number,
): () => void {
  let since: number | undefined
  let next = 0
  return () => {
    if (kernels.pending === 0) {
      since = undefined
      return
    }
    const at = now()
    if (since === undefined) {
      since = at
      next = at + quietMs
    }
    if (at < next) return
    next = at + betweenMs
    say(`compiling kernels (${kernels.asked - kernels.pending} of ${kernels.asked})`)
  }
}
