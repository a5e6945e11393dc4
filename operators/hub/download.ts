// One file of the hub: resumed where an earlier download stopped, tried again after a cut or when the hub asks to wait, and
// compared with the digest that the hub's list gives.

import { createHash, type Hash } from 'node:crypto'
import { createReadStream, existsSync, statSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { digestOfContent } from '../../engine/shared/digest-of-content.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { HubError } from './hub-error.ts'

export interface Wanted {
  url: string
  /** For messages: `OWNER/NAME/PATH`. */
  name: string
  size: number
  /** SHA-256 of the content, or SHA-1 of it as a git blob. */
  digest: { kind: 'sha256' | 'git'; hex: string }
}

export interface DownloadOptions {
  token?: string | undefined
  /** Hears the bytes of the file that are there. */
  onBytes?: ((bytes: number) => void) | undefined
  /** Attempts in a row that bring nothing new. */
  tries?: number
  /** Seconds before the second attempt; each later one waits twice as long. */
  waitSeconds?: number
  /** Longest time in which no byte may arrive. */
  idleSeconds?: number
}

/** Puts the file at `path`, whole and checked. What has arrived of it waits in `path.incomplete`. */
export async function download(
  { url, name, size, digest }: Wanted,
  path: string,
  { token, onBytes, tries = 5, waitSeconds = 1, idleSeconds = 60 }: DownloadOptions = {},
): Promise<void> {
  const partial = `${path}.incomplete`
  makeFolder(dirname(path))
  let isAnew = false
  for (let failures = 0; ; ) {
    const before = sizeOf(partial)
    let reason: string
    let wait = waitSeconds * 2 ** failures
    try {
      if (before < size || size === 0)
        await fetchRest({ url, name, size }, partial, before, { token, onBytes, idleSeconds })
      const found = sizeOf(partial)
      if (found === size && (await digestOf(partial, digest.kind, size)) === digest.hex) {
        await rename(partial, path)
        return
      }
      if (found >= size) {
        // a second whole download that is wrong too is no accident
        if (isAnew)
          throw new HubError(
            'hub-damaged',
            `${name}: must have ${size} bytes and the digest ${digest.hex}, as the hub lists it; twice it had not: try again later, or tell the owner of the repository`,
          )
        isAnew = true
        await rm(partial, { force: true })
        continue
      }
      reason = `it ended after ${found} of ${size} bytes`
    } catch (error) {
      if (error instanceof HubError) throw error
      if (error instanceof Waiting) wait = Math.max(wait, error.seconds)
      reason = causeOf(error)
    }
    failures = sizeOf(partial) > before ? 0 : failures + 1
    if (failures >= tries)
      throw new HubError(
        'hub-cut',
        `${name}: cannot be downloaded: ${reason}; the same command goes on where this one stopped`,
      )
    await setTimeout(Math.min(wait, 300) * 1000)
  }
}

/** The hub asks to wait, or has a fault that passes. */
export class Waiting extends Error {
  readonly seconds: number
  constructor(message: string, seconds: number) {
    super(message)
    this.seconds = seconds
  }
}

/** Throws what an answer that is no success means. */
export function refuse(response: Response, name: string): never {
  const { status } = response
  if (status === 429 || status >= 500)
    throw new Waiting(`the hub answered ${status}`, Number(response.headers.get('retry-after')) || 0)
  const why =
    status === 401 || status === 403
      ? 'a private or gated repository needs a token that may read it: set HF_TOKEN'
      : 'look at its name, its revision and its path'
  throw new HubError(
    status === 404 ? 'hub-missing' : 'hub-refused',
    `${name}: the hub answered ${status}: ${why}`,
  )
}

async function fetchRest(
  { url, name, size }: Pick<Wanted, 'url' | 'name' | 'size'>,
  partial: string,
  start: number,
  {
    token,
    onBytes,
    idleSeconds,
  }: { token: string | undefined; onBytes: DownloadOptions['onBytes']; idleSeconds: number },
): Promise<void> {
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(start > 0 && { range: `bytes=${start}-` }),
    'accept-encoding': 'identity',
  }
  const stop = new AbortController()
  const idle = () => stop.abort(new Error(`no byte arrived for ${idleSeconds} seconds`))
  let timer = globalThis.setTimeout(idle, idleSeconds * 1000)
  try {
    // a redirect to another host loses the token
    const response = await fetch(url, { headers, signal: stop.signal })
    if (response.status === 416) {
      await rm(partial, { force: true })
      throw new Error('the hub has less of the file than had arrived')
    }
    if (!response.ok) refuse(response, name)
    // a server that does not know ranges sends the whole file
    let bytes = response.status === 206 ? start : 0
    const file = await open(partial, bytes > 0 ? 'r+' : 'w')
    try {
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer)
        timer = globalThis.setTimeout(idle, idleSeconds * 1000)
        await file.write(chunk, 0, chunk.length, bytes)
        bytes += chunk.length
        onBytes?.(bytes)
        // what is longer than the hub's list says is not the file, and may never end
        if (bytes > size) break
      }
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    clearTimeout(timer)
  }
}

/** `fetch failed` says nothing: its cause does. */
export const causeOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error)

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0)

async function digestOf(path: string, kind: Wanted['digest']['kind'], size: number): Promise<string> {
  const hash: Hash = kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
  return digestOfContent(createReadStream(path), hash)
}
