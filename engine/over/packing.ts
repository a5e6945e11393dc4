// Orders and replies as bytes: an item's packed value, or the packed values of all that came of it.
import { headers, type MsgHdrs } from '@nats-io/transport-node'
import type { Packed } from '../wire-form.ts'
import { decode, encode } from './message.ts'
import { header, type Order, type Outcome, type Reply } from './names.ts'

type Envelope = Omit<Order, 'value'>

export const encodeOrder = (about: Envelope, packed: Packed): Uint8Array =>
  encode({ json: { ...about, value: packed.json }, ...(packed.tensors && { tensors: packed.tensors }) })

/** An order and its packed value. */
export function decodeOrder(bytes: Uint8Array): { order: Order; packed: Packed } {
  const { json, tensors } = decode(bytes)
  // the other end of the same version of flow made it
  const order = json as Order
  return { order, packed: { json: order.value, ...(tensors && { tensors }) } }
}

/** A reply as one message: its head, then for each item the length of its bytes and the bytes. */
export function encodeReply(reply: Omit<Reply, 'items'>, outcomes: readonly Outcome[]): Uint8Array {
  const items = outcomes.map(({ port, key, bytes }) => ({ port, key, length: bytes.length }))
  const head = encode({ json: { ...reply, items } })
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32LE(head.length)
  return Buffer.concat([prefix, head, ...outcomes.map(({ bytes }) => bytes)])
}

export function decodeReply(bytes: Uint8Array): { reply: Omit<Reply, 'items'>; outcomes: Outcome[] } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 4 + buffer.readUInt32LE(0)
  const { items, ...reply } = decode(buffer.subarray(4, at)).json as Reply
  const outcomes = items.map(({ port, key, length }) => {
    const bytes = buffer.subarray(at, at + length)
    at += length
    return { port, key, bytes }
  })
  return { reply, outcomes }
}

/** A reply in as many messages as it needs. */
export function replyMessages(
  id: string,
  worker: string,
  reply: Uint8Array,
  mostBytes: number,
): { body: Uint8Array; about: MsgHdrs }[] {
  const count = Math.max(1, Math.ceil(reply.length / mostBytes))
  return Array.from({ length: count }, (_, i) => {
    const about = headers()
    about.set(header.id, id)
    about.set(header.from, worker)
    about.set(header.chunk, `${i}/${count}`)
    return { body: reply.subarray(i * mostBytes, (i + 1) * mostBytes), about }
  })
}
