import type { Finding } from '../engine/operator.ts'
import { codeOf } from '../engine/shared/errors.ts'

/** What is wrong with the address in the field `url`; nothing is sent to it. */
export function addressFault(url: string): Finding[] {
  if (URL.canParse(url) && /^https?:/.test(url)) return []
  const rule = 'must be an address with http:// or https://'
  return [
    { field: 'url', rule, lines: [], code: 'bad-address', remedy: 'write e.g. http://localhost:8000/score' },
  ]
}

const longestLookSeconds = 3

/**
 * The same, and a warning if no server answers there: it is asked for nothing but the head of its address, any status is an answer.
 * A brief look before a run asks nobody: the run says it itself.
 */
export async function lookAtAddress(url: string, { isBrief }: { isBrief?: boolean }): Promise<Finding[]> {
  const faults = addressFault(url)
  if (isBrief || faults.length > 0) return faults
  const { host, origin } = new URL(url)
  try {
    const signal = AbortSignal.timeout(longestLookSeconds * 1000)
    const response = await fetch(origin, { method: 'HEAD', redirect: 'manual', signal })
    await response.body?.cancel()
    return []
  } catch (error) {
    // `fetch` gives the reason in the error's cause
    const reason = error instanceof Error ? (codeOf(error.cause) ?? error.message) : String(error)
    const rule = 'must be the address of a server that answers when the graph runs'
    const remedy = 'start the server before the run, or correct the address'
    const lines = [`nothing answers at ${host}: ${reason}`]
    return [{ field: 'url', rule, lines, code: 'no-answer', remedy, isWarning: true }]
  }
}
