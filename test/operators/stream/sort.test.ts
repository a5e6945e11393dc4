import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import readJsonl from '../../../operators/read/jsonl.ts'
import streamSort from '../../../operators/stream/sort.ts'
import { runGraph } from '../run-graph.ts'

const directory = t.testdir()
const path = join(directory, 'rows.jsonl')
writeFileSync(path, [3, 1, 2, 1].map((size, i) => JSON.stringify({ i, of: { size } })).join('\n'))

const sorted = (config: object) =>
  runGraph(
    {
      nodes: {
        lines: { operator: 'read.jsonl', config: { path } },
        sort: { operator: 'stream.sort', config, from: { items: 'lines.items' } },
        end: { operator: 'collect', from: { items: 'sort.items' } },
      },
    },
    { 'read.jsonl': readJsonl, 'stream.sort': streamSort },
    { directory },
  )
const indices = (items: readonly { value: unknown }[]) => items.map(({ value }) => (value as { i: number }).i)

t.test(
  'items come in the order of a number inside them, equal ones as they came, with their keys',
  async t => {
    const { items, leaked } = await sorted({ by: 'of.size' })
    t.same(indices(items), [1, 3, 2, 0])
    t.same(
      items.map(({ key }) => key),
      ['1:2', '1:4', '1:3', '1:1'],
    )
    t.equal(leaked, 0)
    t.same(indices((await sorted({ by: 'of.size', order: 'descending' })).items), [0, 2, 1, 3])
  },
)

t.test('an item without the number is an error that names it', async t => {
  const { status, error } = await sorted({ by: 'of.weight' })
  t.equal(status, 'failed')
  t.match(error?.message, /item 1:1: of.weight must be a number to sort by, found nothing/)
})
