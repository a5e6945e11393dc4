// A run over workers, simulated item by item from measured times: when each item is given out, worked on, answered.

/** Seconds that each item takes, and what holds items back. */
export interface Times {
  /** Of each node before the part, in order. */
  readonly before: readonly number[]
  /** Of each node of the part. */
  readonly part: readonly number[]
  /** Of each node after the part, without the one that makes versions. */
  readonly after: readonly number[]
  /** Items that all workers together may hold. */
  readonly credits: number
  /** Present where the part follows versions. */
  readonly versions?: {
    readonly maxLag: number
    /** Items of one version. */
    readonly items: number
    readonly update: number
    /** To copy a version for other processes, and to take one as a worker. */
    readonly copy: number
    readonly take: number
  }
}

export interface Simulated {
  readonly workers: number
  readonly perSecond: number
  /** Updates between the version that an item was worked on with and that which it changed, in the mean. */
  readonly lag: number
  /** Share of the time in which a worker works, in the mean. */
  readonly busy: number
  readonly updating: number
  /** Versions that all workers take, a second. */
  readonly taken: number
}

/** Orders that a worker holds at the same time, as `over/worker.ts` does. */
const ahead = 2

interface Worker {
  /** When each node of the part is free. */
  readonly free: number[]
  /** When its last orders were answered; the oldest of `ahead` makes room. */
  readonly answers: number[]
  version: number
}

export function simulate(times: Times, workers: number): Simulated {
  const { versions, credits } = times
  const count = Math.max(400, 12 * workers)
  const crew = Array.from(
    { length: workers },
    (): Worker => ({ free: times.part.map(() => 0), answers: [], version: 0 }),
  )
  const [before, after] = [times.before.map(() => 0), times.after.map(() => 0)]
  /** When items that are given out are answered, and since when versions can be taken. */
  let open: number[] = []
  let given = 0
  const ready = [0]
  const arrived: number[] = []
  const done: number[] = []
  let [busy, lags, taken, updating, updated] = [0, 0, 0, 0, 0]
  for (let i = 0; i < count; i++) {
    let at = through(0, times.before, before)
    const version = versions ? Math.max(0, Math.floor((i - versions.maxLag) / versions.items)) : 0
    // items are given out in order
    at = Math.max(at, given, ready[version] ?? 0)
    open = open.filter(answered => answered > at)
    if (open.length >= credits) {
      open.sort((a, b) => a - b)
      at = open[open.length - credits] ?? at
      open = open.filter(answered => answered > at)
    }
    given = at
    const worker = earliest(crew)
    at = Math.max(at, roomOf(worker))
    if (version !== worker.version && versions) {
      at = Math.max(at, worker.answers.at(-1) ?? 0) + versions.take
      worker.version = version
      taken++
    }
    const answered = through(at, times.part, worker.free)
    busy += times.part.reduce((sum, one) => sum + one, 0)
    worker.answers.push(answered)
    open.push(answered)
    // edges keep the order of items
    const here = Math.max(through(answered, times.after, after), arrived.at(-1) ?? 0)
    arrived.push(here)
    if (!versions) done.push(here)
    else if ((i + 1) % versions.items === 0) {
      const begin = Math.max(here, updated, ready.at(-1) ?? 0)
      updated = begin + versions.update
      updating += versions.update
      ready.push(updated + versions.copy)
      lags += ready.length - 2 - version
      done.push(updated)
    }
  }
  // the first quarter is start; several may be done at the same moment
  const from = done[Math.floor(done.length / 4)] ?? 0
  const span = (done.at(-1) ?? 0) - from
  const later = done.filter(at => at > from).length
  const all = done.at(-1) ?? 1
  const perDone = versions?.items ?? 1
  return {
    workers,
    perSecond: (later * perDone) / span,
    lag: versions ? lags / done.length : 0,
    // nodes of one worker work at the same time on two items
    busy: Math.min(1, busy / all / workers),
    updating: updating / all,
    taken: taken / all,
  }
}

/** When an item that arrives leaves the last of several nodes, each of which works on one item at a time. */
function through(at: number, times: readonly number[], free: number[]): number {
  let now = at
  times.forEach((seconds, i) => {
    now = Math.max(now, free[i] ?? 0) + seconds
    free[i] = now
  })
  return now
}

const roomOf = ({ answers }: Worker): number => answers.at(-ahead) ?? 0

/** The worker that asked for an item first; of several, the one that is idle soonest. */
function earliest(crew: readonly Worker[]): Worker {
  const last = (worker: Worker) => worker.answers.at(-1) ?? 0
  return crew.reduce((best, one) =>
    last(one) < last(best) || (last(one) === last(best) && roomOf(one) < roomOf(best)) ? one : best,
  )
}
