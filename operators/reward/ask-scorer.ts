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
    const response = await post(url, input, source, ending.signal)
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

const mostRedirects = 5

/**
 * The response, after redirects that keep the method and stay with the same scheme, host and port: the address may hold a
 * key, and the completions are for the endpoint that the graph names.
 */
async function post(url: string, body: string, source: string, signal: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  let at = new URL(url)
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(at.href, { method: 'POST', headers, body, signal, redirect: 'manual' })
    const { status } = response
    const location = response.headers.get('location')
    if (status < 300 || status > 399 || location === null) return response
    await response.body?.cancel()
    const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined
    const fault =
      next?.origin !== at.origin
        ? 'another host or scheme'
        : ![307, 308].includes(status)
          ? 'where GET would be asked for instead of POST'
          : redirects === mostRedirects
            ? `after ${mostRedirects} other redirects`
            : undefined
    if (fault === undefined && next) at = next
    else
      throw new RewardError(
        'failed',
        `${source}: must answer itself, redirects with status ${status} to ${location.slice(0, 300)}, ${fault}: ` +
          'set url to it if you trust it',
      )
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
