// Whom a server lets in, and what a user is told when it does not.
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openServer } from '../../../engine/over/nats.ts'
import { freePort, startNats } from '../../bench/machines/nats-server.ts'
import { needServer } from './processes.ts'

t.setTimeout(800_000)

async function startServer(t: Test, words: readonly string[]): Promise<string> {
  needServer(t)
  const port = await freePort()
  const server = await startNats(port, words)
  const ended = once(server, 'exit')
  t.teardown(async () => {
    server.kill()
    await ended
  })
  return `127.0.0.1:${port}`
}

const open = (address: string, environment: NodeJS.ProcessEnv = {}) =>
  openServer(address, { signal: new AbortController().signal, log: () => {}, environment })

t.test('a server that wants a token takes it from the address and from FLOW_NATS_TOKEN', async t => {
  const host = await startServer(t, ['-js', '-sd', join(t.testdir(), 'nats'), '--auth', 'open sesame'])
  const byAddress = await open(`nats://${encodeURIComponent('open sesame')}@${host}`)
  await byAddress.close()
  const byEnvironment = await open(`nats://${host}`, { FLOW_NATS_TOKEN: 'open sesame' })
  t.ok(byEnvironment.mostBytes > 0)
  await byEnvironment.close()
})

t.test('a user and a password stand in the address', async t => {
  const words = ['-js', '-sd', join(t.testdir(), 'nats'), '--user', 'me', '--pass', 'open sesame']
  const host = await startServer(t, words)
  const server = await open(`nats://me:${encodeURIComponent('open sesame')}@${host}`)
  t.ok(server.mostBytes > 0)
  await server.close()
})

t.test('a wrong token is refused at once, with where tokens stand; the token is not said', async t => {
  const host = await startServer(t, ['-js', '-sd', join(t.testdir(), 'nats'), '--auth', 'open sesame'])
  const refused = open(`nats://${host}`, { FLOW_NATS_TOKEN: 'guessed' })
  await t.rejects(refused, { code: 'server-refused', remedy: /put the token .* into the address/ })
  await refused.catch(({ message }) => t.notMatch(message, /guessed|sesame/))
})

t.test('a server without JetStream is refused with the flag that starts it', async t => {
  const host = await startServer(t, [])
  await t.rejects(open(`nats://${host}`), { code: 'server-refused', remedy: /nats-server -js/ })
})
