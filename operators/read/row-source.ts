import type { SourceItem } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import { inEpochs, passFields } from './epochs.ts'
import { ReadError } from './read-error.ts'

export const rowFields = (form: string) =>
  ({ path: { type: 'string', reads: 'data', description: `${form} file.` }, ...passFields }) as const

interface Passes {
  path: string
  shuffle: boolean
  epochs: number
  limit: number
}

/** The rows of a file in several passes; keys are `epoch:row`, both from 1. */
export async function* rowsInPasses(
  { path, ...passes }: Passes,
  seed: number,
  read: (path: string) => Promise<readonly { row: unknown }[]>,
): AsyncGenerator<SourceItem<unknown>> {
  const rows = await read(resolvePath(path))
  if (rows.length === 0) throw new ReadError('no-questions', `${path}: must hold at least one row`)
  const items = rows.map(({ row }, i) => ({ key: String(i + 1), value: row }))
  yield* inEpochs(items, passes, seed)
}
