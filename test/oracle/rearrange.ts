import type { Matrix, Shape, Tape } from './tape.ts'

/** A rectangle of `part` with the place where it goes in a result. */
export interface Block {
  part: Matrix
  from: Shape
  to: Shape
  size: Shape
}

/** A result made of blocks; its gradient goes back to where the values came from. */
export function rearrange(tape: Tape, shape: Shape, blocks: readonly Block[]): Matrix {
  const y = new Float64Array(shape[0] * shape[1])
  const visitRows = (move: (part: Matrix, at: number, to: number, length: number) => void): void => {
    for (const { part, from, to, size } of blocks)
      for (let row = 0; row < size[0]; row++) {
        const at = (from[0] + row) * part.shape[1] + from[1]
        move(part, at, (to[0] + row) * shape[1] + to[1], size[1])
      }
  }
  visitRows(({ data }, at, to, length) => y.set(data.subarray(at, at + length), to))
  const parts = blocks.map(({ part }) => part)
  return tape.result(shape, y, parts, dy => {
    visitRows(({ gradient }, at, to, length) => {
      if (gradient) for (let i = 0; i < length; i++) gradient[at + i] += dy[to + i]
    })
  })
}
