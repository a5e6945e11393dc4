// Numbers that the learners of one host add up through memory that they share.
//
//   area 0 or 1:  │ numbers of learner 1 │ numbers of learner 2 │ …        each learner writes its own
//                 │ s1 │ s2 │ …          │ s1 │ s2 │ …          │          learner i then adds the slices si, in order,
//                 │ S1 │ S2 │ …          │                                 and writes the sum where the first one was
//
// Each learner adds up one slice of the numbers, and all learners read the same sums. Sums use the two areas in turn: a slow
// learner can still read the last sums while the others write the next numbers.
import { randomBytes } from 'node:crypto'
import { closeSync, constants, existsSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CodedError, codeOf } from '../shared/errors.ts'

/** Numbers of one learner in one sum: 8 MiB, so that 4 learners fit into the 64 MiB that a container has by default. */
export const mostSummed = 2 ** 21

const memory = '/dev/shm'
/** Linux: a file without a name. */
const nameless = 0o20000000

/** A file in memory that no folder names, so that it is gone with the last process that holds it, however that ends. */
export function openMemory(): number {
  if (process.platform === 'linux' && existsSync(memory))
    return openSync(memory, nameless | constants.O_DIRECTORY | constants.O_RDWR, 0o600)
  const path = join(tmpdir(), `flow-${randomBytes(8).toString('hex')}`)
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return file
}

export class SharedNumbers {
  readonly #file: number
  readonly #size: number
  readonly #most: number
  /** Memory of its own, used again for each sum: that of the sums, and that of another learner's numbers. */
  readonly #own: readonly [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>]

  /** `most` numbers of each of `size` learners, in a file that all of them have open. */
  constructor(file: number, size: number, most = mostSummed) {
    this.#file = file
    this.#size = size
    this.#most = most
    this.#own = [new Float32Array(most), new Float32Array(most)]
  }

  /** Writes the numbers of a learner. */
  put(area: number, rank: number, numbers: Float32Array): void {
    writeAll(this.#file, numbers, this.#at(area, rank))
  }

  /** Adds up one learner's slice of `count` numbers, after all have put theirs. */
  addSlice(area: number, rank: number, count: number): void {
    const start = Math.floor((count * rank) / this.#size)
    const end = Math.floor((count * (rank + 1)) / this.#size)
    const [first, second] = this.#own
    const sums = this.#read(first, this.#at(area, 0) + start * 4, end - start)
    for (let other = 1; other < this.#size; other++) {
      const numbers = this.#read(second, this.#at(area, other) + start * 4, end - start)
      // a Float32Array rounds each sum to float32
      for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + (numbers[i] ?? 0)
    }
    writeAll(this.#file, sums, this.#at(area, 0) + start * 4)
  }

  /** The sums, after all have added their slices; they stay until the next sum. */
  sums(area: number, count: number): Float32Array<ArrayBuffer> {
    return this.#read(this.#own[0], this.#at(area, 0), count)
  }

  close(): void {
    closeSync(this.#file)
  }

  #at(area: number, rank: number): number {
    return (area * this.#size + rank) * this.#most * 4
  }

  #read(into: Float32Array<ArrayBuffer>, position: number, count: number): Float32Array<ArrayBuffer> {
    const numbers = into.subarray(0, count)
    readAll(this.#file, numbers, position)
    return numbers
  }
}

/** Writes all bytes of a list at a place of a file in memory. */
export function writeAll(file: number, list: Uint8Array | Float32Array, position: number): void {
  const bytes = new Uint8Array(list.buffer, list.byteOffset, list.byteLength)
  try {
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, bytes.length - done, position + done)
  } catch (error) {
    if (codeOf(error) !== 'ENOSPC') throw error
    const rule = `${memory}: must have room for what learners share, ${bytes.length} more bytes; found it full`
    const remedy = 'make it larger (docker: --shm-size), free it, or use fewer --learners'
    throw new CodedError('no-shared-memory', rule, { remedy, cause: error, ofMachine: true })
  }
}

/** Fills a list with the bytes at a place of a file. */
export function readAll(file: number, list: Uint8Array | Float32Array, position: number): void {
  const bytes = new Uint8Array(list.buffer, list.byteOffset, list.byteLength)
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(file, bytes, done, bytes.length - done, position + done)
    if (count === 0) throw new Error(`shared memory ends at byte ${position + done}`)
    done += count
  }
}
