import { parquetRead, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { clock } from '../../engine/platform/clock.ts'
import { readFile } from '../../engine/platform/files.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { refuseUnlessFile } from '../../engine/shared/files.ts'
import type { Row } from './benchmark-rows.ts'
import { ReadError } from './read-error.ts'

/** The rows of a Parquet file. Integers of 64 bits are text when a number cannot hold them exactly. */
export async function readParquet(file: string): Promise<Row[]> {
  refuseUnlessFile(file)
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new ReadError('no-file', `${file}: cannot be read: ${messageOf(error)}`)
  })
  try {
    const { buffer, byteOffset, byteLength } = bytes
    // a copy, for Node keeps small files in a buffer that they share; a file's memory is never a SharedArrayBuffer
    const whole = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
    await expectColumns(whole)
    return (await parquetReadObjects({ file: whole, compressors })).map(row => withoutBigints(row) as Row) // a row is an object
  } catch (error) {
    throw new ReadError('bad-question', `${file}: must be a Parquet file: ${messageOf(error)}`)
  }
}

/**
 * Reads all columns without rows. Where hyparquet gives up while it plans, or makes rows of columns of which two are damaged, it
 * leaves an error to nobody, which would end the process: here no column is read once it has given up.
 */
async function expectColumns(whole: ArrayBuffer): Promise<void> {
  let isOver = false
  const slice = (start: number, end?: number) =>
    new Promise<ArrayBuffer>(resolve => {
      clock.nextTurn(() => {
        if (!isOver) resolve(whole.slice(start, end))
      })
    })
  try {
    await parquetRead({ file: { byteLength: whole.byteLength, slice }, compressors })
  } finally {
    isOver = true
  }
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
