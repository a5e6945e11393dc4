import type { Fields } from '../../engine/operator.ts'
import { clock } from '../../engine/platform/clock.ts'
import { PostError, type Posted, type PostOptions, post } from '../post.ts'
import { JudgeError } from './judge-error.ts'

/** Config of judges that are asked over a network. */
export const askingFields = {
  tries: {
    type: 'integer',
    minimum: 1,
    default: 6,
    description: 'Requests for one answer before it is left without a verdict.',
  },
  backoffSeconds: {
    type: 'number',
    minimum: 0,
    default: 1,
    description: 'Wait after the first failed request; it doubles each time, up to a minute.',
  },
  deadlineSeconds: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 120,
    description: 'Longest time in which nothing of a response arrives.',
  },
  concurrency: {
    type: 'integer',
    minimum: 1,
    default: 4,
    description: 'Largest number of answers judged at the same time.',
  },
} as const satisfies Fields

const longestWaitSeconds = 60
const longestBusySeconds = 600

export interface Patience {
  readonly tries: number
  readonly backoffSeconds: number
  readonly concurrency: number
}

/**
 * Asks until there is a response, waiting longer each time; a judge that is busy is left alone by all who ask it, and at most
 * `concurrency` of them ask at once. Where nobody is at the address it asks once more only: patience is for a judge that has
 * answered before.
 */
export function persistently(
  { tries, backoffSeconds, concurrency }: Patience,
  signal: AbortSignal,
): (attempt: () => Promise<string>) => Promise<string> {
  let busyUntil = 0
  let hasAnswered = false
  const inTurn = turnsOf(concurrency)
  const ask = async (attempt: () => Promise<string>) => {
    for (let tried = 1; ; tried++) {
      const wait = busyUntil - Date.now()
      if (wait > 0) await clock.delay(wait, signal)
      try {
        const text = await attempt()
        hasAnswered = true
        return text
      } catch (error) {
        signal.throwIfAborted()
        const isNobody = error instanceof JudgeError && error.isNobody
        hasAnswered ||= !isNobody
        if (!(error instanceof JudgeError) || ['rejected', 'refused'].includes(error.code)) throw error
        const most = hasAnswered ? tries : Math.min(tries, 2)
        if (tried >= most)
          throw new JudgeError('unanswered', `${error.message} (${most} tries)`, { isNobody })
        const growing = Math.min(backoffSeconds * 2 ** (tried - 1), longestWaitSeconds)
        const seconds = Math.max(growing, Math.min(error.waitSeconds, longestBusySeconds))
        if (error.code === 'busy') busyUntil = Math.max(busyUntil, Date.now() + seconds * 1000)
        else await clock.delay(seconds * 1000, signal)
      }
    }
  }
  return attempt => inTurn(() => ask(attempt))
}

/** Lets at most `places` pieces of work run at once, in the order in which they came. */
function turnsOf(places: number) {
  let free = places
  const waiting: (() => void)[] = []
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (free > 0) free--
    else await new Promise<void>(resolve => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}

/** One request: its response, unless it means that the judge did not do its part. */
export async function asked(url: string, body: string, options: PostOptions): Promise<Posted> {
  const posted = await post(url, body, options).catch((error: unknown) => {
    if (!(error instanceof PostError) || error.code === 'aborted') throw error
    const code = error.code === 'failed' ? 'refused' : 'unanswered'
    throw new JudgeError(code, error.message, { isNobody: error.isNobody })
  })
  const failed = errorOfStatus(posted, options.source)
  if (failed) throw failed
  return posted
}

/** What a status means: busy, out of order, or a refusal of this request or of all. */
function errorOfStatus({ status, headers, text }: Posted, source: string): JudgeError | undefined {
  if (status >= 200 && status <= 299) return undefined
  const said = text.trim().slice(0, 300) || 'nothing'
  const message = `${source}: answered with status ${status}; it said: ${said}`
  if (status === 429 || status === 503)
    return new JudgeError('busy', message, { waitSeconds: retryAfter(headers) })
  if (status >= 500 || status === 408 || status === 409 || status === 425)
    return new JudgeError('unanswered', message)
  return new JudgeError([401, 402, 403, 404, 405].includes(status) ? 'refused' : 'rejected', message)
}

/** Seconds of the header `retry-after`, which states seconds or a date. */
function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? ''
  const seconds = /^\d{1,6}$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0
}
