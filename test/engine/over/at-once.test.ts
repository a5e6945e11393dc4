// What a worker takes at the same time.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { flowRun, needServer } from './processes.ts'

t.setTimeout(300_000)

/** Works on `atOnce` items together: each waits for the others. */
const plugin = `
export const api = 1
const waiting = []
export const operators = {
  'toy.together': {
    summary: 'Waits until items are there together.',
    config: { atOnce: { type: 'integer', description: 'Items.' } },
    inputs: { rows: 'any' },
    outputs: { rows: 'any' },
    atOnce: ({ atOnce }) => atOnce,
    run: ({ rows }, { atOnce }, context) => ({
      rows: rows.pipe(context.each(async row => {
        await new Promise(go => {
          waiting.push(go)
          if (waiting.length === atOnce) for (const one of waiting.splice(0)) one()
        })
        return row
      }, { concurrency: atOnce })),
    }),
  },
}
`

t.test('a worker holds as many items as its nodes work on together', async t => {
  needServer(t)
  const folder = t.testdir({ 'toy.mjs': plugin })
  const path = join(folder, 'rows.jsonl')
  const out = join(folder, 'out.jsonl')
  writeFileSync(path, Array.from({ length: 8 }, (_, i) => `{"row": ${i}}\n`).join(''))
  const graph = {
    version: 1,
    summary: 'Rows that wait for each other.',
    plugins: ['./toy.mjs'],
    parts: { some: { nodes: ['together'] } },
    nodes: {
      rows: { operator: 'read.jsonl', config: { path } },
      together: { operator: 'toy.together', config: { atOnce: 4 }, from: { rows: 'rows.items' } },
      out: { operator: 'write.jsonl', config: { path: out }, from: { items: 'together.rows' } },
    },
  }
  const file = join(folder, 'toy.json')
  writeFileSync(file, JSON.stringify(graph))
  // with fewer in its hands none of them would ever be done
  await flowRun(file, { out: join(folder, 'run'), more: ['--workers', '1'] })
  const rows = readFileSync(out, 'utf8').trim().split('\n')
  t.same(
    rows.map(row => JSON.parse(row).row),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
})
