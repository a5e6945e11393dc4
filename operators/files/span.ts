import { Buffer, createReadStream, open, stat } from '../../engine/platform/files.ts'
import { refuseUnlessFile } from '../../engine/shared/files.ts'
import { readInto } from '../../engine/shared/read-into.ts'

/** A part of a file. */
export interface Piece {
  path: string
  start: number
  length: number
}

/** Bytes that lie in a file, in a part of one, or in parts of several files laid end to end. */
export class Span {
  readonly pieces: readonly Piece[]
  readonly size: number

  constructor(pieces: readonly Piece[]) {
    this.pieces = pieces
    this.size = pieces.reduce((sum, { length }) => sum + length, 0)
  }

  /** The whole of one file, or of several laid end to end. */
  static async of(...paths: readonly string[]): Promise<Span> {
    const sizes = await Promise.all(paths.map(async path => (await stat(path)).size))
    return new Span(paths.map((path, i) => ({ path, start: 0, length: sizes[i] ?? 0 })))
  }

  /** A part; what lies beyond the end is left out. */
  slice(start: number, length: number): Span {
    const pieces: Piece[] = []
    let [at, left] = [Math.max(0, start), length]
    for (const piece of this.pieces) {
      const taken = Math.min(left, piece.length - at)
      if (taken > 0) {
        pieces.push({ path: piece.path, start: piece.start + at, length: taken })
        left -= taken
      }
      at = Math.max(0, at - piece.length)
    }
    return new Span(pieces)
  }

  /** Some bytes, fewer where the span ends. */
  async read(start: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (const piece of this.slice(start, length).pieces) {
      refuseUnlessFile(piece.path)
      const file = await open(piece.path)
      try {
        const bytes = Buffer.alloc(piece.length)
        parts.push(bytes.subarray(0, await readInto(file, bytes, piece.start)))
      } finally {
        await file.close()
      }
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
  }

  /** All bytes in order. */
  async *stream(): AsyncGenerator<Buffer> {
    for (const { path, start, length } of this.pieces)
      if (length > 0) yield* createReadStream(path, { start, end: start + length - 1 })
  }
}
