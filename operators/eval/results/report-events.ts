import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { openEventFile } from '../../../engine/run/record/tensorboard.ts'
import { makeFolder } from '../../../engine/shared/files.ts'
import type { Summary } from './summary.ts'

/**
 * Writes the scores of an evaluation as TensorBoard events into `tensorboard/`, in place of those of an earlier report:
 * `video-mme/score`, its averages and a scalar for each value of a task or group. The step is the number that the
 * checkpoint's folder ends with, so that the evaluations of one training make a curve.
 */
export function writeEvents(folder: string, { benchmark, recipe, scores, tables }: Summary): void {
  const directory = join(folder, 'tensorboard')
  rmSync(directory, { recursive: true, force: true })
  makeFolder(directory)
  const [headline] = scores
  const scalars = [
    ...(headline ? [['score', headline.mean] as const] : []),
    ...scores.map(({ name, mean }) => [`average/${name}`, mean] as const),
    ...tables.flatMap(({ name, rows }) => rows.map(row => [`${name}/${row.name}`, row.mean] as const)),
  ]
  const file = openEventFile(directory, `${benchmark}/`)
  file.scalars(stepOf(recipe.model), Object.fromEntries(scalars))
  file.close()
}

const stepOf = (model: unknown): number =>
  typeof model === 'string' ? Number(/(\d{1,9})\/*$/.exec(model)?.[1] ?? 0) : 0
