import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openBucket } from '../../../engine/over/find-run.ts'
import { openServer } from '../../../engine/over/nats.ts'
import { whileItRuns } from '../../../engine/over/while-it-runs.ts'
import { freePort, startNats } from '../../bench/machines/nats-server.ts'
import { needServer } from './processes.ts'

t.setTimeout(120_000)

const run = 'aaaaaaaaaaaa'

/** A server on which a run has announced itself, and has no stream. */
async function start(t: Test, told: { status: string; epoch: string }) {
  needServer(t)
  const port = await freePort()
  const child = await startNats(port, ['-js', '-sd', join(t.testdir(), 'nats')])
  const ending = new AbortController()
  const said: string[] = []
  const server = await openServer(`nats://127.0.0.1:${port}`, {
    signal: ending.signal,
    log: line => {
      said.push(line)
      ending.abort(new Error('it would go on trying'))
    },
    environment: {},
  })
  t.teardown(async () => {
    ending.abort()
    await server.close()
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const texts = { version: '1', graph: 'g.json', host: 'here', directory: 'run' }
  const lists = { set: [], parts: [], names: [], plugins: [], sources: {}, models: {} }
  const announced = { run, ...texts, started: 1, seed: 0, leaseSeconds: 10, ...lists, ...told }
  await (await openBucket(server)).put(run, JSON.stringify(announced))
  const ask = () =>
    whileItRuns(server, { run, epoch: '1' }, () => server.stream.consumers.get(`FLOW_${run}_1`, 'part'))
  return { said, ask }
}

t.test('work of a run that has ended is given up without a word', async t => {
  const { said, ask } = await start(t, { status: 'ended', epoch: '1' })
  t.equal(await ask(), undefined)
  t.same(said, [])
})

t.test('so is that of an earlier start of a run', async t => {
  const { said, ask } = await start(t, { status: 'running', epoch: '2' })
  t.equal(await ask(), undefined)
  t.same(said, [])
})

t.test('of a run that goes on it is tried again, which is told', async t => {
  const { said, ask } = await start(t, { status: 'running', epoch: '1' })
  await t.rejects(ask(), { message: 'it would go on trying' })
  t.match(said, [/the server does not know the run .*; trying again/])
})
