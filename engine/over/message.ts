// A message between the parts of a run: JSON and tensors as bytes, with a checksum.
import { createHash } from 'node:crypto'
import { CodedError, messageOf } from '../shared/errors.ts'
import { isObject } from '../shared/json.ts'
import type { Packed, WireTensor } from '../wire-form.ts'

/** Largest message that is read. */
export const mostBytes = 2 ** 31

const magic = 0x666c6f77
const prefixBytes = 8

interface Header {
  json: unknown
  tensors: { name: string; dtype: WireTensor['dtype']; shape: number[]; sha256: string }[]
}

const widths = { f32: 4, f16: 2, i32: 4, u32: 4, u8: 1 } as const

/** Tensors have checksums unless the message stays in the memory of one machine. */
interface How {
  readonly checksums?: boolean
}

/** Bytes of: a magic number and the length of the header, u32 each; the header in JSON; the tensors in order. */
export function encode({ json, tensors = {} }: Packed, { checksums = true }: How = {}): Uint8Array {
  const list = Object.entries(tensors)
  for (const [name, tensor] of list) checkLength(name, tensor)
  const header: Header = {
    json,
    tensors: list.map(([name, { dtype, shape, data }]) => ({
      name,
      dtype,
      shape: [...shape],
      sha256: checksums ? digestOf(data) : '',
    })),
  }
  const text = Buffer.from(JSON.stringify(header))
  const prefix = Buffer.alloc(prefixBytes)
  prefix.writeUInt32LE(magic, 0)
  prefix.writeUInt32LE(text.length, 4)
  return Buffer.concat([prefix, text, ...list.map(([, { data }]) => data)])
}

/** The JSON and tensors of a message; throws when it is not whole. */
export function decode(bytes: Uint8Array, { checksums = true }: How = {}): Packed {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < prefixBytes || buffer.readUInt32LE(0) !== magic) throw damaged('it has no header')
  let at = prefixBytes + buffer.readUInt32LE(4)
  const header = headerOf(buffer.subarray(prefixBytes, at))
  const tensors: Record<string, WireTensor> = {}
  for (const { name, dtype, shape, sha256 } of header.tensors) {
    const end = at + sizeOf(dtype, shape)
    // a copy, so that it starts where its numbers may
    const data = new Uint8Array(buffer.subarray(at, end))
    at = end
    const tensor = { dtype, shape, data }
    checkLength(name, tensor)
    if (checksums && digestOf(data) !== sha256) throw damaged(`tensor "${name}" differs from its checksum`)
    tensors[name] = tensor
  }
  if (at !== buffer.length) throw damaged(`it has ${buffer.length} bytes, its header says ${at}`)
  return { json: header.json, tensors }
}

export const digestOf = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex')

function headerOf(bytes: Uint8Array): Header {
  let header: unknown
  try {
    header = JSON.parse(Buffer.from(bytes).toString())
  } catch (error) {
    throw damaged(messageOf(error))
  }
  if (isObject(header) && Array.isArray(header.tensors) && header.tensors.every(isTensorHeader))
    // just checked
    return header as unknown as Header
  throw damaged('its header has other fields')
}

const isTensorHeader = (one: unknown): boolean =>
  isObject(one) &&
  typeof one.name === 'string' &&
  typeof one.sha256 === 'string' &&
  Object.hasOwn(widths, String(one.dtype)) &&
  Array.isArray(one.shape) &&
  one.shape.every(extent => Number.isSafeInteger(extent) && extent >= 0)

const sizeOf = (dtype: WireTensor['dtype'], shape: readonly number[]): number =>
  shape.reduce((product, extent) => product * extent, widths[dtype])

function checkLength(name: string, { dtype, shape, data }: WireTensor): void {
  const wanted = sizeOf(dtype, shape)
  if (data.byteLength !== wanted)
    throw damaged(
      `tensor "${name}" (${dtype}[${shape.join(', ')}]) must have ${wanted} bytes, has ${data.byteLength}`,
    )
}

const damaged = (why: string): CodedError => new CodedError('damaged-message', `a message is damaged: ${why}`)
