import { PostError, post } from '../post.ts'
import type { ScorerOptions } from './external.ts'
import { RewardError } from './reward-error.ts'

/**
 * Posts `input` and returns the body of the response; the deadline covers all of it. Throws `late`, `aborted`,
 * `not-started` (no connection, or one that broke), `bad-answer` (too long) and `failed` (any status but 2xx).
 */
export async function askScorer(url: string, input: string, options: ScorerOptions): Promise<string> {
  const { source } = options
  const { status, text } = await post(url, input, options).catch((error: unknown) => {
    if (error instanceof PostError) throw new RewardError(error.code, error.message)
    throw error
  })
  if (status >= 200 && status <= 299) return text
  const said = text.trim().slice(0, 300) || 'nothing'
  throw new RewardError('failed', `${source}: answered with status ${status}; it said: ${said}`)
}
