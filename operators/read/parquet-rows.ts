import { operator } from '../../engine/operator.ts'
import { inspectRows, rowFields, rowsInPasses } from './row-source.ts'
import { readTable } from './table.ts'

export default operator({
  summary: 'Reads a Parquet file, one item a row.',
  config: rowFields('Parquet'),
  inputs: {},
  outputs: { items: 'any' },
  inspect: config => inspectRows(config, readTable),
  preview: config => rowsInPasses({ ...config, shuffle: false, epochs: 1, limit: 0 }, 0, readTable),
  run: (_, config, context) => ({
    items: context.source(() => rowsInPasses(config, context.seed, readTable)),
  }),
})
