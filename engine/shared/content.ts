import { createHash } from '../platform/digests.ts'
import { Buffer, closeSync, fstatSync, openSync, readSync } from '../platform/files.ts'
import { refuseUnlessFile } from './files.ts'

/** A file up to `whole` bytes is read whole; of a longer one only parts, evenly spaced, the first and the last included. */
const amounts = {
  data: { whole: 4 * 2 ** 20, part: 2 ** 16, parts: 32 },
  /** Clips and pictures: a data set has thousands. */
  media: { whole: 2 ** 17, part: 2 ** 14, parts: 8 },
} as const

/** Size and content of a file as a short text, which differs when the file does. Weights of any size take milliseconds. */
export function contentOf(path: string, kind: keyof typeof amounts = 'data'): string {
  const { whole, part, parts } = amounts[kind]
  refuseUnlessFile(path)
  const handle = openSync(path, 'r')
  try {
    const { size } = fstatSync(handle)
    const hash = createHash('sha256')
    const [count, length] = size <= whole ? [1, size] : [parts, part]
    const buffer = Buffer.alloc(length)
    for (let i = 0; i < count; i++) {
      const begin = count === 1 ? 0 : Math.floor(((size - length) * i) / (count - 1))
      hash.update(buffer.subarray(0, readSync(handle, buffer, 0, length, begin)))
    }
    return `${size} bytes, ${hash.digest('hex').slice(0, 16)}`
  } finally {
    closeSync(handle)
  }
}
