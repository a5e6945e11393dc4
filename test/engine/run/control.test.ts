import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { operator } from '../../../engine/operator.ts'
import { askRun } from '../../../engine/run/record/control.ts'
import type { Run } from '../../../engine/run/summary.ts'
import { start, testBed, turn } from '../support.ts'

/** Counts until it is told to end, and says how far it came. */
function counter() {
  const state = { count: 0, enough: false }
  const endless = operator({
    summary: 'Counts until told to end.',
    config: {},
    inputs: {},
    outputs: { numbers: 'number' },
    run: (_, __, context) => ({
      numbers: context.source(async function* () {
        while (!state.enough) {
          await turn()
          yield { key: String(state.count), value: state.count++ }
        }
      }),
    }),
  })
  return { state, on: testBed({ operators: { endless } }) }
}

const nodes = {
  count: { operator: 'endless' },
  end: { operator: 'collect', from: { items: 'count.numbers' } },
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise(done => setTimeout(done, 20))
}

const later = () => new Promise(done => setTimeout(done, 300))

/** Asks a run to pause, and waits until its status says so. */
async function pause(directory: string): Promise<void> {
  askRun(directory, 'pause')
  const file = join(directory, 'status.json')
  await until(() => existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).paused)
}

/** The run stands still; then it is asked to go on, does so, and ends. */
async function standsStill(t: Test, state: { count: number; enough: boolean }, directory: string, run: Run) {
  await later() // what had begun ends, and edges that have room are filled
  const { count } = state
  await later()
  t.equal(state.count, count)
  askRun(directory, 'continue')
  await until(() => state.count > count + 10)
  state.enough = true
  t.equal((await run.done).status, 'completed')
}

t.test('a run that is asked to pause stands still, and goes on when it is asked to', async t => {
  const directory = t.testdir()
  const { state, on } = counter()
  const run = start(t, nodes, on, { directory })
  await until(() => state.count > 10)
  await pause(directory)
  await standsStill(t, state, directory, run)
})

t.test('a paused run that is asked for a checkpoint writes it and stands still again', async t => {
  const directory = t.testdir()
  const { state, on } = counter()
  const run = start(t, nodes, on, { directory, rest: { checkpoint: { every: 0 } } })
  await until(() => state.count > 10)
  await pause(directory)
  askRun(directory, 'checkpoint')
  await until(() => existsSync(join(directory, 'checkpoints')))
  await until(() => readFileSync(join(directory, 'log.txt'), 'utf8').includes('paused, as before'))
  await standsStill(t, state, directory, run)
})

t.test('a paused run obeys when it is asked to stop', async t => {
  const directory = t.testdir()
  const { state, on } = counter()
  const run = start(t, nodes, on, { directory })
  await until(() => state.count > 10)
  askRun(directory, 'pause')
  await until(() => !existsSync(join(directory, 'control/pause')))
  askRun(directory, 'stop')
  t.equal((await run.done).status, 'stopped')
})

t.test('what an earlier run of the folder was asked for is forgotten', async t => {
  const directory = t.testdir()
  askRun(directory, 'stop')
  const { state, on } = counter()
  const run = start(t, nodes, on, { directory })
  await until(() => state.count > 200)
  state.enough = true
  t.equal((await run.done).status, 'completed')
})
