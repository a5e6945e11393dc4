// Numbers that the learners of one host add up through memory that they share.
//
//   area 0 or 1:  │ numbers of learner 1 │ numbers of learner 2 │ …        each learner writes its own, but for the slice s that
//                 │ s1 │ s2 │ …          │ s1 │ s2 │ …          │          it adds up itself; learner i then adds the slices
//                 │ S1 │ S2 │ …          │                                 si, in order, and writes the sum where the first was
//
// Each learner adds up one slice of the numbers, and reads the sums of the others. Sums use the two areas in turn: a slow
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
  /** Memory of its own, used again for each sum. */
  readonly #sums: Float32Array<ArrayBuffer>
  /** A slice of a learner's numbers. */
  readonly #added: Float32Array<ArrayBuffer>

  /** `most` numbers of each of `size` learners, in a file that all of them have open. */
  constructor(file: number, size: number, most = mostSummed) {
    this.#file = file
    this.#size = size
    this.#most = most
    this.#sums = new Float32Array(most)
    this.#added = new Float32Array(Math.ceil(most / size))
  }

  /** Writes what others add up of a learner's numbers. */
  put(area: number, rank: number, numbers: Float32Array): void {
    for (const [start, end] of this.#others(rank, numbers.length))
      writeAll(this.#file, numbers.subarray(start, end), this.#at(area, rank) + start * 4)
  }

  /** Adds up one learner's slice, after all have put their numbers; `numbers` are its own. */
  addSlice(area: number, rank: number, numbers: Float32Array): void {
    const [start, end] = this.#slice(rank, numbers.length)
    const sums = this.#sums.subarray(start, end)
    for (let other = 0; other < this.#size; other++) {
      const added = this.#added.subarray(0, end - start)
      const position = this.#at(area, other) + start * 4
      if (other === rank) added.set(numbers.subarray(start, end))
      else readAll(this.#file, added, position)
      if (other === 0) sums.set(added)
      // a Float32Array rounds each sum to float32
      else for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + (added[i] ?? 0)
    }
    writeAll(this.#file, sums, this.#at(area, 0) + start * 4)
  }

  /** The sums, for the learner that added up its slice, after all have added theirs; they stay until the next sum. */
  sums(area: number, rank: number, count: number): Float32Array<ArrayBuffer> {
    for (const [start, end] of this.#others(rank, count))
      readAll(this.#file, this.#sums.subarray(start, end), this.#at(area, 0) + start * 4)
    return this.#sums.subarray(0, count)
  }

  close(): void {
    closeSync(this.#file)
  }

  #at(area: number, rank: number): number {
    return (area * this.#size + rank) * this.#most * 4
  }

  /** Where a learner's slice of `count` numbers starts and ends. */
  #slice(rank: number, count: number): [start: number, end: number] {
    return [Math.floor((count * rank) / this.#size), Math.floor((count * (rank + 1)) / this.#size)]
  }

  /** What is before and after a learner's slice. */
  #others(rank: number, count: number): [start: number, end: number][] {
    const [start, end] = this.#slice(rank, count)
    return [
      [0, start],
      [end, count],
    ]
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
