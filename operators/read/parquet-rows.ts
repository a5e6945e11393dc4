import { operator } from '../../engine/operator.ts'
import { rowFields, rowsInPasses } from './row-source.ts'
import { readTable } from './table.ts'

export default operator({
  summary: 'Reads a Parquet file, one item a row.',
  config: rowFields('Parquet'),
  inputs: {},
  outputs: { items: 'any' },
  run: (_, config, context) => ({
    items: context.source(() => rowsInPasses(config, context.seed, readTable)),
  }),
})
