import { CodedError, codeOf } from '../engine/shared/errors.ts'

/** A request that got no answer, or none that can be used. A status is an answer: the caller judges it. */
export class PostError extends CodedError<'late' | 'aborted' | 'not-started' | 'failed' | 'bad-answer'> {
  /** Whether there is no server at the address, or no way to it. */
  get isNobody(): boolean {
    const cause = this.cause instanceof Error ? this.cause.cause : undefined
    return nobody.includes(codeOf(cause) ?? '')
  }
}

/** Codes of a machine that is not connected, or of an address where nobody answers. */
const nobody = ['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH']

export interface PostOptions {
  /** Start of error messages. */
  source: string
  signal: AbortSignal
  headers?: Readonly<Record<string, string>>
  timeoutSeconds: number
  /** Whether the time limit is one for the whole answer, or begins again with every part of it that arrives. */
  limits?: 'all' | 'silence'
  /** A text, e.g. a key, that must not be in what is returned or thrown. */
  hidden?: string
}

export interface Posted {
  status: number
  headers: Headers
  text: string
}

/** Longest answer, in characters: far above what any scorer needs. */
export const longestAnswer = 2 ** 24

/** Posts JSON and returns the response, whatever its status. */
export async function post(url: string, body: string, options: PostOptions): Promise<Posted> {
  const { source, timeoutSeconds, signal, headers = {}, limits = 'all', hidden = '' } = options
  const ending = new AbortController()
  let stopped: PostError | undefined
  const stop = (reason: PostError) => {
    stopped ??= reason
    ending.abort()
  }
  const late =
    limits === 'all'
      ? `${source}: did not answer within ${timeoutSeconds} s (timeoutSeconds)`
      : `${source}: sent nothing for ${timeoutSeconds} s (deadlineSeconds)`
  const begin = () => setTimeout(() => stop(new PostError('late', late)), timeoutSeconds * 1000)
  let timer = begin()
  const abort = () => stop(new PostError('aborted', `${source}: aborted`))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  const progress = () => {
    if (limits === 'all') return
    clearTimeout(timer)
    timer = begin()
  }
  try {
    const response = await followed(url, { headers, body, signal: ending.signal }, source)
    const text = await textOf(response, progress)
    if (text === undefined)
      throw new PostError('bad-answer', `${source}: answered more than ${longestAnswer} characters`)
    const shown = hidden === '' ? text : text.replaceAll(hidden, '[key]')
    return { status: response.status, headers: response.headers, text: shown }
  } catch (error) {
    if (stopped) throw stopped
    if (error instanceof PostError) throw error
    throw new PostError('not-started', `${source}: ${reasonOf(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

const mostRedirects = 5

interface Request {
  headers: Readonly<Record<string, string>>
  body: string
  signal: AbortSignal
}

/**
 * The response, after redirects that keep the method and stay with the same scheme, host and port: the address or a header
 * may hold a key, and the texts are for the endpoint that the graph names.
 */
async function followed(url: string, { headers, body, signal }: Request, source: string): Promise<Response> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body, signal }
  let at = new URL(url)
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(at.href, { ...init, redirect: 'manual' })
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
      throw new PostError(
        'failed',
        `${source}: must answer itself, redirects with status ${status} to ${location.slice(0, 300)}, ${fault}: ` +
          '--set url=ADDRESS names it, if you trust it',
      )
  }
}

/** Undefined if the body is too long; leaving the loop early ends the connection. */
async function textOf(response: Response, progress: () => void): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  progress()
  for await (const chunk of response.body ?? []) {
    progress()
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
