import type { JsMsg } from '@nats-io/jetstream'
import { type Announcement, header } from './names.ts'
import type { Server } from './nats.ts'
import { decodeOrder } from './packing.ts'
import { pull } from './pieces.ts'

/** The order in a message; one that is too large is pulled from the home part. */
export async function orderOf(
  message: JsMsg,
  { server, announcement }: { readonly server: Server; readonly announcement: Announcement },
  signal: AbortSignal,
): Promise<ReturnType<typeof decodeOrder>> {
  const piece = message.headers?.get(header.piece)
  if (!piece) return decodeOrder(message.data)
  const [sha256 = '', bytes = ''] = piece.split(' ')
  const parts: Uint8Array[] = []
  for await (const part of pull(server, announcement, { sha256, bytes: Number(bytes) }, signal))
    parts.push(part)
  return decodeOrder(Buffer.concat(parts))
}
