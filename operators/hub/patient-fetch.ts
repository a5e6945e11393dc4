import { setTimeout } from 'node:timers/promises'
import { causeOf, type DownloadOptions, refuse, Waiting } from './download.ts'
import { HubError } from './hub-error.ts'

/** A `fetch` that sends the token, tries again after a cut or when the hub asks to wait, and throws what a refusal means. */
export const patientFetch = (
  name: string,
  token: string | undefined,
  { tries = 5, waitSeconds = 1, idleSeconds = 60 }: DownloadOptions,
): typeof fetch =>
  async function patient(url, init) {
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
        if (!response.ok) refuse(response, name)
        const { status, headers: told } = response
        // the whole body is read here, so that a cut in it counts as a failure
        return new Response(await response.arrayBuffer(), { status, headers: told })
      } catch (error) {
        if (error instanceof HubError) throw error
        if (error instanceof Waiting) wait = Math.max(wait, error.seconds)
        reason = causeOf(error)
      }
      if (failures >= tries)
        throw new HubError('hub-unreachable', `${name}: the hub cannot be asked: ${reason}`)
      await setTimeout(Math.min(wait, 300) * 1000)
    }
  }
