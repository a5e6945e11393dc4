import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import readJsonl from '../../../operators/read/jsonl.ts'
import streamReplay from '../../../operators/stream/replay.ts'
import { runGraph } from '../run-graph.ts'

const directory = t.testdir()
const path = join(directory, 'numbers.jsonl')
writeFileSync(path, '10\n20\n30\n40\n50\n')

const replayed = (config: object) =>
  runGraph(
    {
      nodes: {
        lines: { operator: 'read.jsonl', config: { path } },
        again: { operator: 'stream.replay', config, from: { items: 'lines.items' } },
        end: { operator: 'collect', from: { items: 'again.items' } },
      },
    },
    { 'read.jsonl': readJsonl, 'stream.replay': streamReplay },
    { directory },
  )

t.test('every pass has all items, each in another order, with keys of their own', async t => {
  const { status, leaked, items } = await replayed({ epochs: 3 })
  t.match({ status, leaked }, { status: 'completed', leaked: 0 })
  const values = items.map(({ value }) => Number(value))
  const passes = [0, 1, 2].map(i => values.slice(i * 5, i * 5 + 5))
  for (const pass of passes) t.strictSame([...pass].sort(), [10, 20, 30, 40, 50])
  t.not(new Set(passes.map(String)).size, 1)
  t.equal(new Set(items.map(({ key }) => key)).size, 15)
})

t.test('without shuffling the order is that of the input, and a limit cuts the last pass', async t => {
  const { items } = await replayed({ epochs: 2, shuffle: false, limit: 7 })
  t.strictSame(
    items.map(({ value }) => value),
    [10, 20, 30, 40, 50, 10, 20],
  )
})
