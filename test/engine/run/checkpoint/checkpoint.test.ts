import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bufferCount, map } from 'rxjs'
import t, { type Test } from 'tap'
import { loadGraph } from '../../../../engine/graph/check.ts'
import type { Registry } from '../../../../engine/graph/plan.ts'
import { type Item, operator, resource } from '../../../../engine/operator.ts'
import { listCheckpoints } from '../../../../engine/run/checkpoint/folder.ts'
import { rewindFiles } from '../../../../engine/run/record/files.ts'
import { startRun } from '../../../../engine/run/run.ts'
import type { Run, RunEvent, RunSummary } from '../../../../engine/run/summary.ts'
import { graphText } from '../../support.ts'

/** A sum that lives in a resource, as weights do. */
class Account {
  total = 0
}

interface World {
  registry: Registry
  /** Called with the name of the folder before a state is saved. */
  onSave: () => void
  /** Each batch as it was added. */
  added: number[][]
}

function world(offset = 0): World {
  const own: World = { registry: { operators: {}, resources: {} }, onSave: () => {}, added: [] }
  const range = operator({
    summary: 'Counts.',
    config: { count: { type: 'integer', description: 'How many.' } },
    inputs: {},
    outputs: { numbers: 'number' },
    run: (_, { count }, context) => ({
      numbers: context.source(async function* () {
        for (let value = offset; value < offset + count; value++) yield { key: String(value), value }
      }),
    }),
  })
  const batch = operator({
    summary: 'Holds items until there are enough.',
    config: { size: { type: 'integer', description: 'Enough.' } },
    inputs: { items: 'number' },
    outputs: { lists: 'list' },
    credits: ({ size }) => size,
    run: ({ items }, { size }) => ({
      lists: items.pipe(
        bufferCount<Item<number>>(size),
        map(list => {
          const joined = list[0].derive(
            list.map(item => item.value),
            { parents: list },
          )
          for (const item of list) item.release()
          return joined
        }),
      ),
    }),
  })
  const add = operator({
    summary: 'Adds to an account, and says what it held before and how many lists came.',
    config: { account: { type: 'string', resource: 'account', description: 'Where.' } },
    inputs: { lists: 'list', before: { kind: 'number', optional: true } },
    outputs: { totals: 'number' },
    // the last one never comes
    metrics: () => ['lists', 'total', 'before', 'falling'],
    run: ({ lists, before }, { account: name }, context) => {
      const account = context.resource<Account>(name)
      let done = 0
      let known: unknown = null
      before.subscribe(item => {
        known = item.value
      })
      context.checkpoint({
        save: folder => writeFileSync(join(folder, 'lists'), String(done)),
        restore: folder => {
          done = Number(readFileSync(join(folder, 'lists'), 'utf8'))
        },
      })
      return {
        totals: lists.pipe(
          context.each((list: readonly number[], { key, seed }) => {
            account.total += list.reduce((sum, value) => sum + value, 0)
            own.added.push([...list])
            context.record('metrics', { key, seed, lists: ++done, total: account.total, before: known })
            return account.total
          }),
        ),
      }
    },
  })
  const account = resource({
    summary: 'A sum.',
    kind: 'account',
    config: {},
    open: async (_config, context) => {
      const value = new Account()
      context.checkpoint({
        save: folder => {
          own.onSave()
          writeFileSync(join(folder, 'total'), String(value.total))
        },
        restore: folder => {
          value.total = Number(readFileSync(join(folder, 'total'), 'utf8'))
        },
      })
      return value
    },
    close: () => {},
  })
  own.registry = { operators: { range, batch, add }, resources: { account } }
  return own
}

const nodes = (count: number, size: number) => ({
  numbers: { operator: 'range', config: { count } },
  lists: { operator: 'batch', config: { size }, from: { items: 'numbers.numbers' } },
  sum: {
    operator: 'add',
    config: { account: 'money' },
    from: {
      lists: 'lists.lists',
      before: { edge: 'sum.totals', keep: 'latest', initial: -1, maxLag: 0 },
    },
  },
})

interface Options {
  count?: number
  size?: number
  every?: number
  keep?: number
  best?: string
  from?: string
  onEvent?: (event: RunEvent, run: Run) => void
}

async function runIn(directory: string, own: World, options: Options = {}): Promise<RunSummary> {
  const { count = 10, size = 3, every = 4, keep = 9, best = '', from, onEvent } = options
  const rest = { resources: { money: { resource: 'account' } }, checkpoint: { every, keep, best } }
  const plan = loadGraph('g.json', own.registry, { read: () => graphText(nodes(count, size), rest) })
  const run: Run = startRun(plan, {
    seed: 5,
    directory,
    ...(from !== undefined && { from }),
    onEvent: event => onEvent?.(event, run),
  })
  return run.done
}

/** Goes on as the command line does. */
async function resumeIn(directory: string, own: World, options: Options = {}): Promise<RunSummary> {
  const name = (await listCheckpoints(directory)).at(-1)
  const from = name === undefined ? undefined : join(directory, 'checkpoints', name)
  rewindFiles(directory, from ? JSON.parse(readFileSync(join(from, 'state.json'), 'utf8')).files : {})
  return runIn(directory, own, { ...options, ...(from !== undefined && { from }) })
}

const metrics = (directory: string) => readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
const atRecord =
  (count: number, then: (run: Run) => void) =>
  (event: RunEvent, run: Run): void => {
    if (event.type === 'record' && event.entry.lists === count) then(run)
  }

async function whole(t: Test): Promise<string> {
  const directory = t.testdir()
  await runIn(directory, world())
  return metrics(directory)
}

t.test('a checkpoint waits until no operator holds an item, and one more is taken at the end', async t => {
  const directory = t.testdir()
  const { status, leaked } = await runIn(directory, world())
  t.strictSame({ status, leaked }, { status: 'completed', leaked: 0 })
  // after 4 items the batch of 3 holds one, so two more come; at 10 the source ends and the batch is short
  t.strictSame(await listCheckpoints(directory), ['000006', '000010'])
})

for (const lists of [1, 2, 3, 4]) {
  t.test(`a run aborted at list ${lists} goes on to the same records`, async t => {
    const directory = t.testdir()
    const cut = await runIn(directory, world(), { onEvent: atRecord(lists, run => run.abort()) })
    t.equal(cut.status, 'aborted')
    const summary = await resumeIn(directory, world())
    t.match(summary, { status: 'completed', acknowledged: 10, leaked: 0 })
    t.equal(metrics(directory), await whole(t))
  })
}

t.test('a stop takes a checkpoint with nothing held, and the run goes on to the same records', async t => {
  const directory = t.testdir()
  const stopped = await runIn(directory, world(), { every: 0, onEvent: atRecord(1, run => run.stop()) })
  t.equal(stopped.status, 'stopped')
  const [name] = await listCheckpoints(directory)
  t.equal(Number(name) % 3, 0, `${name} is a whole number of lists: the last one was not cut short`)
  t.ok(Number(name) < 10, 'it did stop')
  const own = world()
  t.equal((await resumeIn(directory, own, { every: 0 })).status, 'completed')
  t.equal(own.added.flat().length, 10 - Number(name), 'what was done is not done again')
  t.equal(metrics(directory), await whole(t))
})

t.test('the value on a feedback edge comes back', async t => {
  const directory = t.testdir()
  await runIn(directory, world(), { onEvent: atRecord(3, run => run.abort()) })
  const state = JSON.parse(readFileSync(join(directory, 'checkpoints/000006/state.json'), 'utf8'))
  t.strictSame(state.edges, { 'sum.totals → sum.before': 15 })
})

t.test('a run that ended goes on with more items as if it had had them at once', async t => {
  const folder = t.testdir({ longer: {}, whole: {} })
  const [longer, whole] = [join(folder, 'longer'), join(folder, 'whole')]
  t.equal((await runIn(longer, world(), { count: 6 })).status, 'completed')
  // what the last update says comes when its receiver has ended, and holds all items back that follow
  const [last = ''] = (await listCheckpoints(longer)).slice(-1)
  const state = JSON.parse(readFileSync(join(longer, 'checkpoints', last, 'state.json'), 'utf8'))
  t.strictSame(state.edges, { 'sum.totals → sum.before': 15 })
  t.equal((await resumeIn(longer, world(), { count: 12 })).status, 'completed')
  t.equal((await runIn(whole, world(), { count: 12 })).status, 'completed')
  t.equal(metrics(longer), metrics(whole))
})

t.test('the newest checkpoints stay, and the one with the best metric', async t => {
  const directory = t.testdir()
  await runIn(directory, world(), { count: 12, size: 1, every: 2, keep: 2, best: 'falling' })
  t.strictSame(await listCheckpoints(directory), ['000010', '000012'], 'a metric that never came marks none')
  const own = world()
  const other = t.testdir()
  await runIn(other, own, { count: 12, size: 1, every: 2, keep: 2, best: 'total' })
  t.strictSame(await listCheckpoints(other), ['000010', '000012'], 'the last one has the greatest total')
  const third = t.testdir()
  await runIn(third, world(-9), { count: 12, size: 1, every: 2, keep: 2, best: 'total' })
  t.strictSame(await listCheckpoints(third), ['000002', '000010', '000012'], 'it had the least debt')
})

t.test('a full disk ends the run with a remedy and leaves the checkpoints before it', async t => {
  const directory = t.testdir()
  const own = world()
  let saves = 0
  own.onSave = () => {
    if (++saves === 2) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }
  const { status, error } = await runIn(directory, own)
  t.equal(status, 'failed')
  t.match(error, { code: 'checkpoint-failed', message: /000010: the disk is full: free some space, then/ })
  t.strictSame(readdirSync(join(directory, 'checkpoints')).sort(), ['000006', 'last'])
  t.equal((await resumeIn(directory, world())).status, 'completed')
  t.equal(metrics(directory), await whole(t))
})

t.test('a source that gives other items than before is found out', async t => {
  const directory = t.testdir()
  await runIn(directory, world(), { onEvent: atRecord(3, run => run.abort()) })
  const { status, error } = await resumeIn(directory, world(1))
  t.equal(status, 'failed')
  t.match(error, {
    code: 'checkpoint-mismatch',
    message: /source "numbers" must give the items that it gave before the checkpoint; it gives other items/,
  })
  const shorter = await resumeIn(directory, world(), { count: 5 })
  t.match(shorter.error, { code: 'checkpoint-mismatch', message: /it gives fewer items/ })
})

t.test('files shorter than the checkpoint says are found out', async t => {
  const directory = t.testdir()
  await runIn(directory, world(), { onEvent: atRecord(3, run => run.abort()) })
  writeFileSync(join(directory, 'metrics.jsonl'), '')
  await t.rejects(resumeIn(directory, world()), {
    code: 'checkpoint-mismatch',
    message: /must hold at least/,
  })
})

t.test('a graph without a cadence takes no checkpoint', async t => {
  const directory = t.testdir()
  const own = world()
  const rest = { resources: { money: { resource: 'account' } } }
  const plan = loadGraph('g.json', own.registry, { read: () => graphText(nodes(4, 2), rest) })
  t.equal((await startRun(plan, { seed: 5, directory }).done).status, 'completed')
  t.notOk(existsSync(join(directory, 'checkpoints')))
})
