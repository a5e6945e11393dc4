import { parquetRead, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { clock } from '../../engine/platform/clock.ts'
import { type FileHandle, open } from '../../engine/platform/files.ts'
import { messageOf, reasonOf } from '../../engine/shared/errors.ts'
import { refuseUnlessFile } from '../../engine/shared/files.ts'
import { readInto } from '../../engine/shared/read-into.ts'
import type { Row } from './benchmark-rows.ts'
import { insteadOfParquet } from './other-form.ts'
import { ReadError } from './read-error.ts'

/** The rows of a Parquet file. Integers of 64 bits are text when a number cannot hold them exactly. */
export async function readParquet(file: string): Promise<Row[]> {
  refuseUnlessFile(file)
  const { handle, byteLength } = await opened(file).catch((error: unknown) => {
    if (error instanceof ReadError) throw error
    throw new ReadError('no-file', `${file}: cannot be read: ${reasonOf(error)}`)
  })
  try {
    const read: Slice = (start, end = byteLength) => bytesOf(handle, start, Math.min(end, byteLength))
    await guarded(read, slice => parquetRead({ file: { byteLength, slice }, compressors }))
    const rows = await guarded(read, slice =>
      parquetReadObjects({ file: { byteLength, slice }, compressors }),
    )
    return rows.map(row => withoutBigints(row) as Row) // a row is an object
  } catch (error) {
    const head = await bytesOf(handle, 0, Math.min(64, byteLength)).catch(() => new ArrayBuffer(0))
    const other = insteadOfParquet(new Uint8Array(head))
    if (other)
      throw new ReadError('other-form', `${file}: must be a Parquet file, found ${other.found}`, other)
    throw new ReadError('bad-question', `${file}: must be a Parquet file: ${messageOf(error)}`)
  } finally {
    await handle.close()
  }
}

type Slice = (start: number, end?: number) => Promise<ArrayBuffer>

async function opened(file: string): Promise<{ handle: FileHandle; byteLength: number }> {
  const handle = await open(file)
  const stat = await handle.stat()
  if (stat.isFile()) return { handle, byteLength: stat.size }
  await handle.close()
  throw new ReadError('no-file', `${file}: must be a file, found a folder`)
}

/** Part of a file; what is missing because the file has become shorter is an error. */
async function bytesOf(handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(0, end - start))
  if ((await readInto(handle, bytes, start)) < bytes.length)
    throw new Error('it has become shorter while it was read')
  return bytes.buffer
}

/**
 * Where hyparquet gives up while it plans, or makes rows of columns of which two are damaged, it leaves an error to nobody, which
 * would end the process: so all columns are first read without rows, and nothing is read, or fails, once it has given up.
 */
function guarded<T>(read: Slice, work: (slice: Slice) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const end = (then: () => void) => {
      isOver = true
      then()
    }
    const slice: Slice = (start, stop) =>
      new Promise(give => {
        clock.nextTurn(() => {
          if (isOver) return
          read(start, stop).then(
            bytes => (isOver ? undefined : give(bytes)),
            (error: unknown) => end(() => reject(error)),
          )
        })
      })
    work(slice).then(
      value => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error)),
    )
  })
}

function withoutBigints(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : String(value)
  }
  if (Array.isArray(value)) return value.map(withoutBigints)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutBigints(one)]))
}
