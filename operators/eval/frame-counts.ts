import { folderOfCount } from './results/store.ts'

export const countsField = {
  type: 'array',
  items: { type: 'integer', minimum: 1 },
  default: [],
  description:
    'Several numbers of frames at once: each clip is decoded once for all of them, and the results of number N go to the folder `frames-N`. Empty: one number.',
} as const

/** The numbers of frames that questions are asked with, each with the folder of its results; undefined: the one of `eval.watch`. */
export function setsOf(
  folder: string,
  counts: readonly number[],
): { count: number | undefined; folder: string }[] {
  const sets = counts.length > 0 ? [...new Set(counts)] : [undefined]
  return sets.map(count => ({ count, folder: folderOfCount(folder, count) }))
}
