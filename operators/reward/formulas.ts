import { type Thread, threads } from '../../engine/platform/threads.ts'
import { processorClock } from '../../engine/shared/work-time.ts'

/** Memory of the thread: the library itself takes a tenth of it. A comparison that needs more is undecided. */
const mostMegabytes = 512

export interface Formulas {
  /** Whether two formulas in LaTeX are equal; undefined if it takes longer than `seconds` or too much memory. One comparison at a time. */
  equal(left: string, right: string, seconds: number): Promise<boolean | undefined>
  close(): Promise<void>
}

/**
 * Symbolic equality in a thread of its own, started by the first comparison: some formulas keep the library busy without
 * end, and a thread can be stopped where a call cannot. A formula that the library cannot read equals nothing.
 */
export function formulas(): Formulas {
  let thread: Promise<Thread> | undefined
  let last: Promise<unknown> = Promise.resolve()
  const close = async () => {
    const running = thread
    thread = undefined
    await (await running)?.end()
  }
  const ask = async (left: string, right: string, seconds: number) => {
    thread ??= start()
    const running = await thread
    // Also undecided: the thread ran out of memory, or was stopped because it took too long.
    const answer = running.next().then(
      equal => equal === true,
      () => undefined,
    )
    running.post({ left, right })
    const found = await within(answer, seconds)
    if (found === undefined) await close()
    return found
  }
  return {
    equal(left, right, seconds) {
      const answer = last.then(() => ask(left, right, seconds))
      last = answer.catch(() => undefined)
      return answer
    },
    close,
  }
}

/** Waits until the thread has loaded the library, which takes longer than most comparisons. It does not keep the process alive. */
async function start(): Promise<Thread> {
  const thread = threads.start('formula-worker', import.meta.url, mostMegabytes)
  await thread.next()
  thread.letGo()
  return thread
}

/** A machine that gives a comparison a twentieth of its time is not waited for. */
const mostLooks = 20

/** The answer, or undefined when the thread cannot have it within `seconds`; while other programs have the processor it may. */
async function within<T>(answer: Promise<T>, seconds: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const worked = processorClock()
  let looks = 0
  const late = new Promise<undefined>(resolve => {
    const look = () => {
      if (worked() >= seconds * 0.9 || ++looks === mostLooks) resolve(undefined)
      else timer = setTimeout(look, seconds * 1000)
    }
    timer = setTimeout(look, seconds * 1000)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
