// Bytes that are too large for a message, pulled by their digest from the process that has them.
import { open } from 'node:fs/promises'
import { headers, type Msg } from '@nats-io/transport-node'
import { CodedError, messageOf } from '../shared/errors.ts'
import { isObject } from '../shared/json.ts'
import { readInto } from '../shared/read-into.ts'
import { type Epoch, piecesOf } from './names.ts'
import type { Server } from './nats.ts'

/** Bytes and files that other processes may pull, by SHA-256. */
export class Pieces {
  readonly #kept = new Map<string, { source: Uint8Array | string; holders: number }>()

  /** Bytes, or the path of a file; each `keep` needs a `drop`. */
  keep(sha256: string, source: Uint8Array | string): void {
    const kept = this.#kept.get(sha256)
    this.#kept.set(sha256, { source, holders: (kept?.holders ?? 0) + 1 })
  }

  drop(sha256: string): void {
    const kept = this.#kept.get(sha256)
    if (kept && --kept.holders === 0) this.#kept.delete(sha256)
  }

  /** Answers requests `{ sha256, offset, bytes }` until the connection closes. */
  serve(server: Server, epoch: Epoch): void {
    server.connection.subscribe(piecesOf(epoch), {
      callback: (_, request) => void this.#answer(request, server),
    })
  }

  async #answer(request: Msg, { mostBytes }: Server): Promise<void> {
    try {
      const asked: unknown = JSON.parse(request.string())
      const { sha256, offset, bytes } = isObject(asked) ? asked : {}
      const kept = this.#kept.get(String(sha256))
      if (!kept) throw new Error(`no piece ${String(sha256)}`)
      const [from, length] = [Number(offset), Math.min(Number(bytes), mostBytes)]
      if (!Number.isSafeInteger(from) || from < 0 || !(length > 0))
        throw new Error('must ask for a part of the piece')
      request.respond(await partOf(kept.source, from, length))
    } catch (error) {
      const about = headers()
      about.set('Flow-Error', messageOf(error))
      request.respond(new Uint8Array(), { headers: about })
    }
  }
}

async function partOf(source: Uint8Array | string, offset: number, length: number): Promise<Uint8Array> {
  if (typeof source !== 'string') return source.subarray(offset, offset + length)
  const file = await open(source)
  try {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, await readInto(file, bytes, offset))
  } finally {
    await file.close()
  }
}

const requestMs = 10_000
const atOnce = 4

/** Pulls a piece in parts, a few at the same time, in order. */
export async function* pull(
  server: Server,
  epoch: Epoch,
  { sha256, bytes }: { sha256: string; bytes: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const step = Math.min(server.mostBytes, 2 ** 19)
  const offsets = Array.from({ length: Math.ceil(bytes / step) }, (_, i) => i * step)
  const ask = (offset: number) => {
    const request = JSON.stringify({ sha256, offset, bytes: Math.min(step, bytes - offset) })
    const asked = server
      .again(() => server.connection.request(piecesOf(epoch), request, { timeout: requestMs }), signal)
      .then(answer => {
        const fault = answer.headers?.get('Flow-Error')
        if (fault) throw new CodedError('no-piece', fault)
        return answer.data
      })
    asked.catch(() => {}) // the callers that await `asked` get the error
    return asked
  }
  const waiting: Promise<Uint8Array>[] = []
  for (const offset of offsets) {
    waiting.push(ask(offset))
    const first = waiting.length >= atOnce ? waiting.shift() : undefined
    if (first) yield await first
  }
  for (const rest of waiting) yield await rest
}
