// Whom a server lets in, and what a user is told when it does not.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { nkeys } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import { natsAddress } from '../../../engine/cli/over-run.ts'
import { openServer } from '../../../engine/over/nats.ts'
import { startFlow } from '../../bench/flow-process.ts'
import { freePort, startNats } from '../../bench/machines/nats-server.ts'
import { writeOperatorFiles } from './operator-files.ts'
import { flowRun, needServer } from './processes.ts'

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

/** A server with JetStream and this text in its configuration. */
function startConfigured(t: Test, text: string): Promise<string> {
  const path = join(t.testdirName, 'server.conf')
  writeFileSync(path, `jetstream { store_dir: "${join(t.testdirName, 'nats')}" }\n${text}\n`)
  return startServer(t, ['-c', path])
}

const open = (address: string, environment: NodeJS.ProcessEnv = {}) =>
  openServer(address, { signal: new AbortController().signal, log: () => {}, environment })

/** Whether these variables open the server. */
async function opens(t: Test, address: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const server = await open(address, environment)
  t.ok(server.mostBytes > 0, Object.keys(environment).join(' and '))
  await server.close()
}

t.test('a server that wants a token takes it from FLOW_NATS_TOKEN', async t => {
  const host = await startServer(t, ['-js', '-sd', join(t.testdir(), 'nats'), '--auth', 'open sesame'])
  await opens(t, `nats://${host}`, { FLOW_NATS_TOKEN: 'open sesame' })
})

t.test('a user and a password stand in variables', async t => {
  const words = ['-js', '-sd', join(t.testdir(), 'nats'), '--user', 'me', '--pass', 'open sesame']
  const host = await startServer(t, words)
  await opens(t, `nats://${host}`, { FLOW_NATS_USER: 'me', FLOW_NATS_PASSWORD: 'open sesame' })
})

t.test('the seed of an nkey stands in a file', async t => {
  const user = nkeys.createUser()
  const seed = join(t.testdir({ 'user.nk': `# mine\n${Buffer.from(user.getSeed())}\n` }), 'user.nk')
  const host = await startConfigured(t, `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`)
  await opens(t, `nats://${host}`, { FLOW_NATS_NKEY: seed })
  const other = join(t.testdirName, 'other.nk')
  writeFileSync(other, Buffer.from(nkeys.createUser().getSeed()))
  await t.rejects(open(`nats://${host}`, { FLOW_NATS_NKEY: other }), { code: 'server-refused' })
})

t.test('a credentials file of an account of an operator is taken', async t => {
  const { config, creds } = writeOperatorFiles(t.testdir())
  const host = await startConfigured(t, config)
  await opens(t, `nats://${host}`, { FLOW_NATS_CREDS: creds })
  await t.rejects(open(`nats://${host}`), { code: 'server-refused' })
})

t.test('TLS is checked against the authority that FLOW_NATS_CA names', async t => {
  const folder = t.testdir()
  const at = (name: string) => join(folder, name)
  const openssl = (...words: string[]) => {
    const { status, stderr } = spawnSync('openssl', words, { encoding: 'utf8', cwd: folder })
    if (status !== 0) throw new Error(stderr)
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '9']
  openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem')
  const name = ['-subj', '/CN=server', '-addext', 'subjectAltName=DNS:localhost']
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key']
  openssl('req', '-x509', ...key, ...name, ...signed, '-keyout', 'server.key', '-out', 'server.pem')
  const tls = `tls { cert_file: "${at('server.pem')}", key_file: "${at('server.key')}" }`
  const host = await startConfigured(t, tls)
  const address = `tls://${host.replace('127.0.0.1', 'localhost')}`
  await opens(t, address, { FLOW_NATS_CA: at('ca.pem') })
  await t.rejects(open(address), { code: 'server-refused', remedy: /FLOW_NATS_CA/ })
})

t.test('a wrong token is refused at once, with where tokens stand; the token is not said', async t => {
  const host = await startServer(t, ['-js', '-sd', join(t.testdir(), 'nats'), '--auth', 'open sesame'])
  const refused = open(`nats://${host}`, { FLOW_NATS_TOKEN: 'guessed' })
  await t.rejects(refused, { code: 'server-refused', remedy: /set FLOW_NATS_TOKEN/ })
  await refused.catch(({ message }) => t.notMatch(message, /guessed|sesame/))
})

t.test(
  'credentials that contradict each other or cannot be read are refused before anything is sent',
  async t => {
    const folder = t.testdir({ 'no.nk': 'SECRET' })
    const cases: [RegExp, NodeJS.ProcessEnv][] = [
      [
        /FLOW_NATS_TOKEN: must be the only credentials, found FLOW_NATS_USER beside it/,
        { FLOW_NATS_TOKEN: 'a', FLOW_NATS_USER: 'b', FLOW_NATS_PASSWORD: 'c' },
      ],
      [/FLOW_NATS_PASSWORD: must be set beside FLOW_NATS_USER/, { FLOW_NATS_USER: 'b' }],
      [/FLOW_NATS_CREDS: must name a file/, { FLOW_NATS_CREDS: join(folder, 'none') }],
      [/FLOW_NATS_CA: must name a file/, { FLOW_NATS_CA: join(folder, 'none') }],
      [/the seed of a user/, { FLOW_NATS_NKEY: join(folder, 'no.nk') }],
    ]
    for (const [message, environment] of cases)
      await t.rejects(open('nats://127.0.0.1:9', environment), { code: 'bad-credentials', message })
  },
)

t.test(
  'an address with credentials is refused without saying them, since all can read a command',
  async t => {
    for (const address of ['nats://sesame@host', 'nats://me:sesame@host:4222', 'http://sesame@host'])
      t.throws(() => natsAddress(address), { code: 'bad-usage', message: /^(?!.*sesame)/ })
    t.equal(natsAddress('tls://host:4222'), 'tls://host:4222')
  },
)

t.test('no file of a run holds the token of its server, or that of another one', async t => {
  needServer(t)
  const rows = [1, 2, 3].map(text => `${JSON.stringify({ text })}\n`).join('')
  const folder = t.testdir({ 'rows.jsonl': rows })
  writeFileSync(join(folder, 'graph.json'), JSON.stringify(graphIn(folder)))
  process.env.FLOW_NATS_TOKEN = 'open sesame of another server'
  t.teardown(() => delete process.env.FLOW_NATS_TOKEN)
  await flowRun(join(folder, 'graph.json'), { out: join(folder, 'run'), more: ['--workers', '1'] })
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(one => one.isFile())
  t.ok(files.some(({ name }) => name === 'server.conf'))
  for (const { parentPath, name } of files)
    t.notMatch(readFileSync(join(parentPath, name), 'latin1'), /token: "|t[0-9a-f]{32}|sesame/, name)
})

const graphIn = (folder: string) => ({
  version: 1,
  summary: 'Rows through a part.',
  parts: { middle: { nodes: ['mapped'] } },
  nodes: {
    rows: { operator: 'read.jsonl', config: { path: join(folder, 'rows.jsonl') } },
    mapped: { operator: 'stream.map', config: { fields: { text: 'text' } }, from: { items: 'rows.items' } },
    file: {
      operator: 'write.jsonl',
      config: { path: join(folder, 'mapped.jsonl') },
      from: { items: 'mapped.items' },
    },
  },
})

t.test('a server without JetStream is refused with the flag that starts it', async t => {
  const host = await startServer(t, [])
  await t.rejects(open(`nats://${host}`), { code: 'server-refused', remedy: /nats-server -js/ })
})

t.test(
  'a worker that waits for a server which is not there, or for a run, ends when it is told to',
  async t => {
    const there = await startServer(t, ['-js', '-sd', join(t.testdir(), 'nats')])
    const cases = [
      { host: `127.0.0.1:${await freePort()}`, said: /does not answer/ },
      { host: there, said: /waiting for a run/ },
    ]
    for (const { host, said } of cases) {
      const log = join(t.testdirName, `${host.replace(':', '-')}.txt`)
      const { child } = startFlow(['work', `nats://${host}`], log)
      const ended = once(child, 'exit')
      while (!said.test(readFileSync(log, 'utf8'))) await delay(50)
      child.kill('SIGTERM')
      const [code] = await ended
      t.equal(code, 130, host)
    }
  },
)
