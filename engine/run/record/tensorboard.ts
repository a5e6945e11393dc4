import { Buffer, closeSync, openSync, readdirSync, writeSync } from '../../platform/files.ts'
import { join } from '../../platform/paths.ts'
import { processes } from '../../platform/processes.ts'
import { RunError } from '../error.ts'
import { whyNotWritten } from './why-not-written.ts'

/** A file of TensorBoard events: https://github.com/tensorflow/tensorboard, `event.proto` in TFRecords. */
export interface EventFile {
  /** Writes every finite number of an entry as a scalar. */
  scalars(step: number, entry: Readonly<Record<string, unknown>>): void
  close(): void
}

/** Opens a new event file in a folder. Tags are `prefix` and the name of the number, as published: `train/loss`. */
export function openEventFile(directory: string, prefix = 'train/', now = () => Date.now()): EventFile {
  const seconds = Math.floor(now() / 1000)
  const path = join(directory, `${fileStart}${String(seconds).padStart(10, '0')}.flow.${processes.id}`)
  const guarded = <T>(write: () => T): T => {
    try {
      return write()
    } catch (error) {
      throw new RunError('write-failed', `cannot write ${path}: ${whyNotWritten(error)}`, { cause: error })
    }
  }
  // a run that goes on says where, so that TensorBoard forgets what was undone
  let goesOn = guarded(() => readdirSync(directory)).some(name => name.startsWith(fileStart))
  const handle = guarded(() => openSync(path, 'a'))
  const append = (event: Buffer) => guarded(() => writeSync(handle, recordOf(event)))
  append(Buffer.concat([double(1, now() / 1000), text(3, 'brain.Event:2')]))
  return {
    scalars: (step, entry) => {
      const values = Object.entries(entry).flatMap(([name, value]) =>
        typeof value === 'number' && Number.isFinite(value) && name !== 'step'
          ? [message(1, Buffer.concat([text(1, prefix + name), float(2, value)]))]
          : [],
      )
      if (values.length === 0) return
      if (goesOn) append(Buffer.concat([double(1, now() / 1000), whole(2, step), sessionStart]))
      goesOn = false
      append(Buffer.concat([double(1, now() / 1000), whole(2, step), message(5, Buffer.concat(values))]))
    },
    close: () => closeSync(handle),
  }
}

/** Length (8 bytes), its checksum, the data, its checksum; all little-endian. */
export function recordOf(data: Buffer): Buffer {
  const record = Buffer.alloc(12 + data.length + 4)
  record.writeBigUInt64LE(BigInt(data.length))
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8)
  data.copy(record, 12)
  record.writeUInt32LE(maskedCrc(data), 12 + data.length)
  return record
}

/** CRC-32C, rotated and offset so that the checksum of data that holds checksums stays apart from them. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** The Castagnoli polynomial, reflected: 0x82f63b78. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0) // the table has 256 entries
  return (crc ^ 0xffffffff) >>> 0
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

const fileStart = 'events.out.tfevents.'

// protocol buffers: a field is its number and wire type, then the value; 0 varint, 1 eight bytes, 2 length, 5 four bytes

const tag = (field: number, wireType: number): Buffer => varint(field * 8 + wireType)

const whole = (field: number, value: number): Buffer => Buffer.concat([tag(field, 0), varint(value)])

function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([tag(field, 1), bytes])
}

function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([tag(field, 5), bytes])
}

const message = (field: number, bytes: Buffer): Buffer =>
  Buffer.concat([tag(field, 2), varint(bytes.length), bytes])

const text = (field: number, value: string): Buffer => message(field, Buffer.from(value))

/** Seven bits a byte, the lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = Math.trunc(value)
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** `session_log { status: START }`. */
const sessionStart = message(7, whole(1, 1))
