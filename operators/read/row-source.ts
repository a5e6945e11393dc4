import type { Inspection, SourceItem } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import { rowRemarks } from './enough-rows.ts'
import { inEpochs, type PassContext, passFields } from './epochs.ts'
import { ReadError } from './read-error.ts'

export const rowFields = (form: string) =>
  ({ path: { type: 'string', reads: 'data', description: `${form} file.` }, ...passFields }) as const

interface Passes {
  path: string
  shuffle: boolean
  epochs: number
  limit: number
}

/** The look of `flow check` at a file of rows. */
export async function inspectRows(
  { path, epochs, limit }: Passes,
  read: (path: string) => Promise<readonly unknown[]>,
): Inspection {
  const rows = await read(resolvePath(path))
  if (rows.length === 0) throw empty(path)
  return rowRemarks(rows.length, epochs, limit)
}

const empty = (path: string) => new ReadError('no-questions', `${path}: must hold at least one row`)

/** One pass outside of a run. */
export const onePass = (config: Passes, read: Parameters<typeof rowsInPasses>[2]) =>
  rowsInPasses({ ...config, shuffle: false, epochs: 1, limit: 0 }, { seed: 0, expect: () => {} }, read)

/** The rows of a file in several passes; keys are `epoch:row`, both from 1. */
export async function* rowsInPasses(
  { path, ...passes }: Passes,
  context: PassContext,
  read: (path: string) => Promise<readonly { row: unknown; where: string }[]>,
): AsyncGenerator<SourceItem<unknown>> {
  const rows = await read(resolvePath(path))
  if (rows.length === 0) throw empty(path)
  const items = rows.map(({ row, where }, i) => ({ key: String(i + 1), value: row, place: where }))
  yield* inEpochs(items, passes, context, 'rows')
}
