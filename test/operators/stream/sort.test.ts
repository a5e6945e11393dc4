import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import readJsonl from '../../../operators/read/jsonl.ts'
import replay from '../../../operators/stream/replay.ts'
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
  const { status, error } = await sorted({ by: 'of.sise' })
  t.equal(status, 'failed')
  t.equal(
    error?.message.replace(/seed \d+/, 'seed N').replaceAll(directory, 'DIR'),
    'node "sort" (stream.sort), item "1:1" (DIR/rows.jsonl:1), seed N: item "1:1": of.sise must be a number to sort by, found nothing (nearest "size")',
  )
})

t.test(
  'an item that fails after it was sorted, or repeated, has the file and line that it was read from',
  async t => {
    const boom = operator({
      summary: 'Fails at one item.',
      config: {},
      inputs: { items: 'any' },
      outputs: { items: { kind: 'any', like: 'items' } },
      run: ({ items }, _config, context) => ({
        items: items.pipe(
          context.each(value => {
            if ((value as { i: number }).i === 2) throw new Error('boom')
            return value
          }),
        ),
      }),
    })
    const run = await runGraph(
      {
        nodes: {
          lines: { operator: 'read.jsonl', config: { path } },
          sort: { operator: 'stream.sort', config: { by: 'of.size' }, from: { items: 'lines.items' } },
          again: { operator: 'stream.replay', config: { epochs: 2 }, from: { items: 'sort.items' } },
          boom: { operator: 'boom', onError: 'skip', from: { items: 'again.items' } },
          end: { operator: 'collect', from: { items: 'boom.items' } },
        },
      },
      { 'read.jsonl': readJsonl, 'stream.sort': streamSort, 'stream.replay': replay, boom },
      { directory: t.testdir() },
    )
    t.equal(run.status, 'completed', run.error?.message ?? '')
    const text = (name: string) => readFileSync(join(run.directory, name), 'utf8')
    const letters = text('dead-letters.jsonl').trim().split('\n')
    t.same(
      letters.map(line => JSON.parse(line)).map(({ key, place }) => [key, place]),
      [
        ['1:1:3', `${path}:3`],
        ['2:1:3', `${path}:3`],
      ],
    )
    t.match(text('log.txt'), `boom: skipped item "1:1:3" (${path}:3): boom`)
  },
)
