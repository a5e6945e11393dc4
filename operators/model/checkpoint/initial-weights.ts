import { at } from '../../../engine/shared/at.ts'
import { mixBits } from '../../../engine/shared/hash.ts'
import { sizeOf } from '../../../kernels/device/tensor.ts'
import { errorFunction } from '../../../kernels/wgsl/activation-functions.ts'
import { randomOf } from '../../random.ts'
import { bytesPerElement, type FloatFormat, fromFloat32 } from '../files/float-formats.ts'
import type { Shape } from '../parts/part.ts'

/**
 * How a weight of a model that was never trained is drawn, from N(mean, deviation²): matrices with 1 / fan-in, so that
 * signals keep their size through all layers; latents with 1; norms are one and biases zero.
 */
export function initial(name: string, shape: Shape): { mean: number; deviation: number } {
  if (/[._]bias$/.test(name)) return { mean: 0, deviation: 0 }
  if (shape.length === 1) return { mean: 1, deviation: 0 }
  const fanIn = /\.(latents|probe)$/.test(name) ? 1 : sizeOf(shape.slice(1))
  return { mean: 0, deviation: 1 / Math.sqrt(fanIn) }
}

/**
 * The bytes of a weight in a file, drawn from its seed and name, in pieces of at most 8 MiB; the next piece but one
 * overwrites a piece. Each number is one of 65,536 quantiles of its distribution, so billions take seconds.
 */
export function* initialBytes(
  name: string,
  shape: Shape,
  format: FloatFormat,
  seed: number,
): Generator<Uint8Array> {
  const { mean, deviation } = initial(name, shape)
  const table = fromFloat32(
    quantiles().map(value => mean + deviation * value),
    format,
  )
  const Words = bytesPerElement[format] === 2 ? Uint16Array : Uint32Array
  const words = new Words(table.slice().buffer)
  const size = sizeOf(shape)
  const pieces = [0, 1].map(() => new Words(Math.min(size, pieceElements)))
  let state = randomOf(seed, name).integer(2 ** 32)
  for (let start = 0, turn = 0; start < size; start += pieceElements, turn = 1 - turn) {
    const piece = at(pieces, turn).subarray(0, size - start)
    state = draw(piece, words, state)
    yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength)
  }
}

const pieceElements = 2 ** 21
const quantileCount = 65536

/** Fills a piece, two numbers from each state of a Weyl sequence, as in `randomOf`. Returns the last state. */
function draw<T extends Uint16Array | Uint32Array>(piece: T, table: T, from: number): number {
  let state = from
  for (let i = 0; i < piece.length; i += 2) {
    state = (state + 0x9e3779b9) | 0
    const bits = mixBits(state)
    piece[i] = at(table, bits & 0xffff)
    piece[i + 1] = at(table, bits >>> 16) // beyond the end of an odd length, which typed arrays ignore
  }
  return state
}

let cached: Float32Array | undefined

/** The medians of 65,536 equally likely intervals of N(0, 1), in order. */
function quantiles(): Float32Array {
  if (cached) return cached
  const values = new Float32Array(quantileCount)
  const half = quantileCount / 2
  let value = 0
  for (let i = 0; i < half; i++) {
    const wanted = (i + 0.5) / half
    // Newton's method for erf(value / √2) = wanted, from the quantile before.
    for (let turn = 0; turn < 4; turn++) {
      const slope = Math.sqrt(2 / Math.PI) * Math.exp(-(value ** 2) / 2)
      value += (wanted - errorFunction(value * Math.SQRT1_2)) / slope
    }
    values[half + i] = value
    values[half - 1 - i] = -value
  }
  cached = values
  return values
}
