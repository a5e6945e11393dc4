// Files changed at random, and how the reading of each may end.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CodedError, codeOf, messageOf } from '../../engine/shared/errors.ts'
import { type Random, randomOf } from '../engine/run/random-graph.ts'

/** What became of the changed files of one kind. */
export interface MutationCounts {
  accepted: number
  /** With a code, the file's name and a reason. */
  refused: number
  /** Crashed, hung, showed a stack, or named no file. */
  faults: string[]
}

export const deadlineSeconds = 60

/** A folder for folders that are made for one case each, in memory where there is such a place. */
export const makeFolderOfCases = (): string =>
  mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-mutated-'))

/** Changes each of some files in turn and reads it. */
export async function mutated(
  count: number,
  seed: number,
  files: Readonly<Record<string, Buffer>>,
  read: (path: string) => Promise<void>,
): Promise<MutationCounts> {
  const root = makeFolderOfCases()
  const counts: MutationCounts = { accepted: 0, refused: 0, faults: [] }
  const names = Object.keys(files)
  try {
    for (let i = 0; i < count; i++) {
      const random = randomOf(seed * 1_000_003 + i)
      const name = names[i % names.length] ?? ''
      const folder = join(root, String(i))
      const path = join(folder, name)
      mkdirSync(folder)
      let bytes = files[name] ?? Buffer.alloc(0)
      for (let left = 1 + Math.floor(random() * 3); left > 0; left--) bytes = changed(bytes, random)
      writeFileSync(path, bytes)
      const fault = await outcomeOf(path, read(path), counts)
      if (fault !== undefined) counts.faults.push(`case ${i}, ${name}: ${fault}`)
      rmSync(folder, { recursive: true, force: true })
    }
    return counts
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** Counts how the reading of a changed file or folder ended; returns what is wrong with that. */
export async function outcomeOf(
  path: string,
  work: Promise<void>,
  counts: MutationCounts,
): Promise<string | undefined> {
  const began = performance.now()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), deadlineSeconds * 1000)
  })
  try {
    if ((await Promise.race([work, late])) === 'late') return `hung for ${deadlineSeconds} s`
    if (performance.now() - began > deadlineSeconds * 1000) return 'held the process too long'
    counts.accepted++
    return undefined
  } catch (error) {
    const text = messageOf(error)
    if (/^\s+at .*:\d+/m.test(text)) return `a stack: ${text}`
    const isCoded = error instanceof CodedError || /^E(?!RR_)/.test(codeOf(error) ?? '')
    if (!isCoded) return `an error without a code: ${text}`
    if (!text.includes(path)) return `names no file: ${text}`
    counts.refused++
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

const numbers = [
  '-1',
  '1e999',
  '9007199254740993',
  '99999999999999999999',
  '4294967296',
  '0',
  'null',
  '-0',
  '1e308',
]

/** The bytes with some flipped, cut off, doubled or removed, or a number in place of another. */
export function changed(bytes: Buffer, random: Random): Buffer {
  const below = (limit: number) => Math.floor(random() * limit)
  const at = below(bytes.length)
  const length = 1 + below(Math.min(bytes.length - at, 64) || 1)
  switch (below(6)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 3: {
      const text = bytes.toString('latin1')
      const places = [...text.matchAll(/\d+/g)]
      const place = places[below(places.length)]
      if (!place) return bytes
      const number = numbers[below(numbers.length)]
      return Buffer.from(
        `${text.slice(0, place.index)}${number}${text.slice(place.index + place[0].length)}`,
        'latin1',
      )
    }
    default: {
      const flipped = Buffer.from(bytes)
      for (let left = 1 + below(8); left > 0 && flipped.length > 0; left--) {
        const place = below(flipped.length)
        flipped[place] = (flipped[place] ?? 0) ^ (1 << below(8))
      }
      return flipped
    }
  }
}
