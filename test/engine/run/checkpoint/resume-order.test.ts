import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../../engine/graph/check.ts'
import { operator } from '../../../../engine/operator.ts'
import { checkpointsOf, listCheckpoints } from '../../../../engine/run/checkpoint/folder.ts'
import { rewindFiles } from '../../../../engine/run/record/files.ts'
import { startRun } from '../../../../engine/run/run.ts'
import type { Run } from '../../../../engine/run/summary.ts'
import { graphText } from '../../support.ts'

const range = operator({
  summary: 'Counts.',
  config: {},
  inputs: {},
  outputs: { numbers: 'number' },
  run: (_, __, context) => ({
    numbers: context.source(async function* () {
      for (let value = 0; value < 8; value++) yield { key: `${context.node} ${value}`, value }
    }),
  }),
})

const some = operator({
  summary: 'Passes one of every few numbers.',
  config: { every: { type: 'integer', description: 'How many.' } },
  inputs: { numbers: 'number' },
  outputs: { numbers: 'number' },
  run: ({ numbers }, { every }, context) => ({
    numbers: numbers.pipe(
      context.each((value: number) => (value % every === 0 ? context.emit(value) : undefined)),
    ),
  }),
})

const note = operator({
  summary: 'Notes the order.',
  config: {},
  inputs: { numbers: 'number' },
  outputs: {},
  run: ({ numbers }, _, context) => ({
    noted: numbers.pipe(
      context.each((_value: number, { key }) => {
        context.record('order', { key })
        return undefined
      }),
    ),
  }),
})

const nodes = {
  a: { operator: 'range' },
  b: { operator: 'range' },
  all: { operator: 'some', config: { every: 1 }, from: { numbers: 'a.numbers' } },
  half: { operator: 'some', config: { every: 2 }, from: { numbers: 'b.numbers' } },
  end: { operator: 'note', from: { numbers: ['all.numbers', 'half.numbers'] } },
}

/** Runs the graph with a checkpoint after every item of each source; `after` is told how many were noted. */
async function run(directory: string, after: (count: number, run: Run) => void, from?: string) {
  const registry = { operators: { range, some, note }, resources: {} }
  const text = graphText(nodes, { checkpoint: { every: 1, keep: 9 } })
  let count = 0
  const run = startRun(loadGraph('g.json', registry, { read: () => text }), {
    seed: 1,
    directory,
    ...(from !== undefined && { from }),
    onEvent: event => event.type === 'record' && after(++count, run),
  })
  const { status } = await run.done
  const order = readFileSync(join(directory, 'order.jsonl'), 'utf8').trim().split('\n')
  return { status, order: order.map(line => JSON.parse(line).key) }
}

t.test('edges that lead into one input go on taking turns where they were at the checkpoint', async t => {
  const whole = await run(t.testdir(), () => {})
  t.strictSame(
    whole.order.slice(0, 6),
    ['a 0', 'b 0', 'a 1', 'b 2', 'a 2', 'a 3'],
    'after a 1 it is the turn of b',
  )
  const directory = t.testdir({ run: {} })
  // within the third round: what came after the second checkpoint is done again
  const cut = await run(directory, (count, run) => {
    if (count === 4) run.abort()
  })
  t.equal(cut.status, 'aborted')
  const name = (await listCheckpoints(directory)).at(-1) ?? ''
  const from = join(checkpointsOf(directory), name)
  const { files, turns } = JSON.parse(readFileSync(join(from, 'state.json'), 'utf8'))
  t.strictSame(turns, { 'end.numbers': 1 })
  rewindFiles(directory, files)
  const rest = await run(directory, () => {}, from)
  t.equal(rest.status, 'completed')
  t.strictSame(rest.order, whole.order)
})
