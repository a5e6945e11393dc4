import { setTimeout } from 'node:timers/promises'
import { causeOf, type DownloadOptions, refuse, Waiting } from './download.ts'
import { HubError } from './hub-error.ts'

/**
 * A `fetch` that sends the token, tries again after a cut or when the hub asks to wait, and throws what a refusal means. Where
 * there is no way to the hub, it tries once more only: patience is for a hub that has answered before.
 */
export function patientFetch(
  name: string,
  token: string | undefined,
  { tries = 5, waitSeconds = 1, idleSeconds = 60 }: DownloadOptions,
): typeof fetch {
  let hasAnswered = false
  return async function patient(url, init) {
    const headers = new Headers(init?.headers)
    if (token) headers.set('authorization', `Bearer ${token}`)
    for (let failures = 1; ; failures++) {
      let wait = waitSeconds * 2 ** (failures - 1)
      let reason: string
      try {
        const response = await fetch(url, {
          ...init,
          headers,
          signal: AbortSignal.timeout(idleSeconds * 1000),
        })
        hasAnswered = true
        if (!response.ok) refuse(response, name)
        const { status, headers: told } = response
        // the whole body is read here, so that a cut in it counts as a failure
        return new Response(await response.arrayBuffer(), { status, headers: told })
      } catch (error) {
        if (error instanceof HubError) throw error
        if (error instanceof Waiting) wait = Math.max(wait, error.seconds)
        reason = causeOf(error)
      }
      if (failures >= (hasAnswered || !noWay.test(reason) ? tries : Math.min(tries, 2)))
        throw new HubError('hub-unreachable', `${name}: the hub cannot be asked: ${reason}`, {
          remedy:
            'give the path of a folder or file that is there, or connect to the hub (HF_ENDPOINT names a mirror)',
        })
      await setTimeout(Math.min(wait, 300) * 1000)
    }
  }
}

/** Codes of a machine that is not connected, or of an address where nobody answers. */
const noWay = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH/
