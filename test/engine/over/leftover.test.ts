// What a run leaves on a server that does not answer when it ends.
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openBucket } from '../../../engine/over/find-run.ts'
import { openHomeLink } from '../../../engine/over/home-link.ts'
import { openServer, type Server } from '../../../engine/over/nats.ts'
import { Pieces } from '../../../engine/over/pieces.ts'
import { freePort, startNats } from '../../bench/machines/nats-server.ts'
import { needServer } from './processes.ts'

t.setTimeout(300_000)

async function start(t: Test) {
  needServer(t)
  const port = await freePort()
  const child = await startNats(port, ['-js', '-sd', join(t.testdir(), 'nats')])
  const ending = new AbortController()
  const environment = {}
  const server = await openServer(`nats://127.0.0.1:${port}`, {
    signal: ending.signal,
    log: () => {},
    environment,
  })
  t.teardown(async () => {
    ending.abort()
    await server.close()
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return { child, server }
}

/** The home part of a run with one part. */
const open = (server: Server, run: string, log: (line: string) => void = () => {}) =>
  openHomeLink(server, new Pieces(), {
    run,
    epoch: '1',
    parts: [{ name: 'part', credits: 1 }],
    leaseSeconds: 10,
    signal: new AbortController().signal,
    log,
    fail: error => t.fail(String(error)),
  })

async function streamsOf({ manager }: Server): Promise<string[]> {
  const names: string[] = []
  for await (const name of manager.streams.names()) if (name.startsWith('FLOW_')) names.push(name)
  return names
}

t.test(
  'a run waits with a word for a frozen server, and removes its stream when it answers again',
  async t => {
    const { child, server } = await start(t)
    const said: string[] = []
    const link = await open(server, 'aaaaaaaaaaaa', line => {
      said.push(line)
      if (/waiting for the server/.test(line)) child.kill('SIGCONT')
    })
    t.same(await streamsOf(server), ['FLOW_aaaaaaaaaaaa_1'])
    child.kill('SIGSTOP')
    await link.close()
    t.match(said, [/the run has ended; waiting for the server/])
    t.same(await streamsOf(server), [])
  },
)

t.test(
  'a run removes the streams of runs that have ended or were lost, and leaves those of others',
  async t => {
    const { server } = await start(t)
    const names = { ended: 'bbbbbbbbbbbb', alive: 'cccccccccccc' }
    const bucket = await openBucket(server)
    for (const [status, run] of Object.entries(names)) {
      await server.manager.streams.add({ name: `FLOW_${run}_1`, subjects: [`flow.${run}.1.done`] })
      const announcement = {
        run,
        epoch: '1',
        version: '1',
        graph: '',
        host: '',
        directory: '',
        sources: {},
        models: {},
      }
      const rest = { started: 1, seed: 0, leaseSeconds: 10, set: [], parts: [], names: [], plugins: [] }
      await bucket.put(
        run,
        JSON.stringify({ ...announcement, ...rest, status: status === 'ended' ? status : 'running' }),
      )
    }
    const link = await open(server, 'dddddddddddd')
    t.same(await streamsOf(server), ['FLOW_cccccccccccc_1', 'FLOW_dddddddddddd_1'])
    await link.close()
  },
)
