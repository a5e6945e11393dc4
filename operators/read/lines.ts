import { Buffer, createReadStream } from '../../engine/platform/files.ts'
import { reasonOf } from '../../engine/shared/errors.ts'
import { refuseUnlessFile } from '../../engine/shared/files.ts'
import { isUtf16 } from '../text/decode-text.ts'
import { refuseOtherBytes } from './other-form.ts'
import { ReadError } from './read-error.ts'
import { notUtf8, readText } from './rows.ts'

export interface Line {
  text: string
  /** From 1. */
  number: number
}

/** Bytes of a line: one without an end would fill the memory. */
const mostBytes = 2 ** 28

/**
 * The lines of a UTF-8 file that are not empty, without holding the file; a byte-order mark is skipped. A file whose mark says that it is
 * UTF-16 is read as a whole.
 */
export async function* linesOf(path: string): AsyncGenerator<Line> {
  refuseUnlessFile(path)
  const input = createReadStream(path)
  let pieces: Buffer[] = []
  let number = 0
  let held = 0
  const line = (): Line[] => {
    const bytes = Buffer.concat(pieces)
    pieces = []
    held = 0
    number++
    const text = decode(bytes, `${path}:${number}`)
    return text.trim() === '' ? [] : [{ text, number }]
  }
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      if (number === 0 && held === 0) {
        refuseOtherBytes(path, chunk)
        if (isUtf16(chunk)) {
          for (const [i, text] of (await readText(path)).split('\n').entries())
            if (text.trim() !== '') yield { text, number: i + 1 }
          return
        }
      }
      let start = 0
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        pieces.push(chunk.subarray(start, end))
        yield* line()
        start = end + 1
      }
      if (start < chunk.length) pieces.push(chunk.subarray(start))
      held += chunk.length - start
      if (held > mostBytes)
        throw new ReadError(
          'too-large',
          `${path}:${number + 1}: a line must be shorter than ${mostBytes / 2 ** 20} MiB`,
        )
    }
    if (pieces.length > 0) yield* line()
  } catch (error) {
    if (error instanceof ReadError) throw error
    throw new ReadError('no-file', `${path}: cannot be read: ${reasonOf(error)}`)
  } finally {
    input.destroy()
  }
}

const newline = 0x0a

function decode(bytes: Buffer, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw notUtf8(where)
  }
}
