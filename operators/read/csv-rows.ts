import { operator } from '../../engine/operator.ts'
import { itemsInPasses } from './epochs.ts'
import { inspectRows, onePass, rowFields, rowsInPasses } from './row-source.ts'
import { readTable } from './table.ts'

export default operator({
  summary:
    'Reads a CSV file (or TSV, by its ending): each row is an item, its fields named by the first line, all text.',
  config: rowFields('CSV'),
  inputs: {},
  outputs: { items: 'any' },
  makes: itemsInPasses,
  inspect: config => inspectRows(config, readTable),
  preview: config => onePass(config, readTable),
  run: (_, config, context) => ({
    items: context.source(() => rowsInPasses(config, context, readTable)),
  }),
})
