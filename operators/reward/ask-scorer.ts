import { longestAnswer, type ScorerOptions } from './external.ts'
import { RewardError } from './reward-error.ts'

/**
 * Posts `input` and returns the body of the response; the deadline covers all of it. Throws `late`, `aborted`,
 * `not-started` (no connection, or one that broke) and `failed` (any status but 2xx).
 */
export async function askScorer(
  url: string,
  input: string,
  { source, timeoutSeconds, signal }: ScorerOptions,
): Promise<string> {
  const ending = new AbortController()
  let stopped: RewardError | undefined
  const stop = (reason: RewardError) => {
    stopped ??= reason
    ending.abort()
  }
  const late = `${source}: did not answer within ${timeoutSeconds} s (timeoutSeconds)`
  const timer = setTimeout(() => stop(new RewardError('late', late)), timeoutSeconds * 1000)
  const abort = () => stop(new RewardError('aborted', `${source}: aborted`))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: input, signal: ending.signal })
    const answer = await bodyOf(response)
    if (answer === undefined)
      throw new RewardError('bad-answer', `${source}: answered more than ${longestAnswer} characters`)
    if (response.ok) return answer
    const said = answer.trim().slice(0, 300) || 'nothing'
    throw new RewardError('failed', `${source}: answered with status ${response.status}; it said: ${said}`)
  } catch (error) {
    if (stopped) throw stopped
    if (error instanceof RewardError) throw error
    throw new RewardError('not-started', `${source}: ${reasonOf(error)}`)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

/** Undefined if the body is too long; leaving the loop early ends the connection. */
async function bodyOf(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > longestAnswer) return undefined
  }
  return text + decoder.decode()
}

/** `fetch` gives the reason in the error's cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}
