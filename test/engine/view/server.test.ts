import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { askRun } from '../../../engine/run/record/control.ts'
import { askTap, stopTap } from '../../../engine/run/record/tap.ts'
import { RunReader } from '../../../engine/view/run-reader.ts'
import { openView } from '../../../engine/view/server.ts'
import type { ViewOptions } from '../../../engine/view/view-options.ts'

/** A view of a folder with one run, closed at the end of the test. */
async function viewOf(t: Test, options: Partial<ViewOptions> = {}) {
  const folder = t.testdir({ run: { frames: { 'a.jpg': 'picture' }, 'secret.txt': 'secret' }, 'b.jpg': 'b' })
  const run = join(folder, 'run')
  const view = await openView({
    host: '127.0.0.1',
    port: 0,
    control: false,
    runs: () => new Map([['run', run]]),
    shown: () => ['run'],
    ...options,
  })
  t.teardown(view.close)
  return { view, run, ask: (path: string, about = {}) => ask(new URL(path, view.address), about) }
}

interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: string
}

/** The status and the beginning of the answer: a stream of events never ends. */
const ask = (url: URL, { method = 'GET', headers = {}, body = '' }: Asked) =>
  new Promise<{ status: number; text: string }>((done, fail) => {
    const asked = request(url, { method, headers }, response => {
      const { statusCode: status = 0 } = response
      response.once('data', text => {
        done({ status, text: String(text) })
        asked.destroy()
      })
      response.once('end', () => done({ status, text: '' }))
    })
    asked.on('upgrade', ({ statusCode: status = 0 }) => done({ status, text: '' }))
    asked.on('error', fail)
    asked.end(body)
  })

const routes = ['', 'events', 'events?run=run', 'picture?run=run&name=frames/a.jpg', 'tap?run=run&end=a.b']

t.test('every route needs the token', async t => {
  const { view } = await viewOf(t)
  const { origin } = new URL(view.address)
  for (const route of routes)
    for (const path of [`${origin}/${route}`, `${origin}/${'0'.repeat(32)}/${route}`])
      t.equal((await ask(new URL(path), {})).status, 403, path)
  t.equal((await ask(new URL(`${origin}/x/control`), { method: 'POST', headers: { origin } })).status, 403)
})

t.test('pages from elsewhere and names bound to this address get nothing', async t => {
  const { ask, view } = await viewOf(t, { control: true })
  const { port, origin } = new URL(view.address)
  const control = { method: 'POST', body: '{"run":"run","action":"stop"}' }
  for (const headers of [
    { origin: 'https://example.org' },
    { origin: 'null' },
    { origin: `http://localhost:${port}` },
    { host: `evil.example:${port}` },
    { host: `evil.example:${port}`, origin: `http://evil.example:${port}` },
    { host: '127.0.0.1.evil.example' },
  ]) {
    for (const route of routes)
      t.equal((await ask(route, { headers })).status, 403, `${route} ${JSON.stringify(headers)}`)
    t.equal((await ask('control', { ...control, headers })).status, 403)
  }
  t.equal((await ask('control', control)).status, 403, 'a request without an origin changes nothing')
  t.equal((await ask('control', { ...control, headers: { origin } })).status, 200)
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', origin: 'https://example.org' }
  t.equal((await ask('events', { headers: upgrade })).status, 403)
})

t.test('only pictures inside a known run are given', async t => {
  const { ask } = await viewOf(t)
  const picture = (name: string, run = 'run') =>
    ask(`picture?${new URLSearchParams({ run, name })}`).then(({ status }) => status)
  t.equal(await picture('frames/a.jpg'), 200)
  for (const name of ['../b.jpg', '/etc/passwd', 'secret.txt', 'frames/none.jpg', '', 'frames/../../b.jpg'])
    t.equal(await picture(name), 404, name)
  t.equal(await picture('b.jpg', '..'), 404)
})

t.test('a page may not control a run unless it was allowed to', async t => {
  const { ask, view } = await viewOf(t)
  const { origin } = new URL(view.address)
  const asked = { method: 'POST', headers: { origin }, body: '{"run":"run","action":"stop"}' }
  t.match(await ask('control', asked), { status: 403, text: /without --control/ })
  t.match(await ask('check', asked), { status: 403, text: /without a graph/ })
})

t.test('events give what a run has written, in whole lines', async t => {
  const { ask, run } = await viewOf(t)
  mkdirSync(run, { recursive: true })
  writeFileSync(join(run, 'metrics.jsonl'), '{"step":1,"loss":2}\n{"step":2,"lo')
  const { text } = await ask('events?run=run')
  t.match(text, '"type":"hello"')
})

t.test('a run from elsewhere cannot make the page wait, or lead its requests out of the folder', async t => {
  const folder = t.testdir({ run: { results: {} }, elsewhere: { 'a.b.jsonl': 'kept' } })
  const run = join(folder, 'run')
  for (const name of ['manifest.json', 'nodes.json', 'x.jsonl', 'results/a.json'])
    execFileSync('mkfifo', [join(run, name)])
  mkdirSync(join(run, 'y.jsonl'))
  writeFileSync(join(run, 'status.json'), JSON.stringify({ edges: [{ end: 'a.b' }] }))
  writeFileSync(join(run, 'metrics.jsonl'), '{"step":1}\n')
  for (const name of ['taps', 'control']) symlinkSync(join(folder, 'elsewhere'), join(run, name))
  const messages = new RunReader(run, 'run').look()
  t.match(messages, [{ type: 'status' }, { type: 'lines', stream: 'metrics', entries: [{ step: 1 }] }])
  for (const ask of [() => askRun(run, 'stop'), () => askTap(run, 'a.b'), () => stopTap(run, 'a.b')])
    t.throws(ask, { code: 'path-outside', message: /must lie in its folder, found a link to/ })
  t.same(readdirSync(join(folder, 'elsewhere')), ['a.b.jsonl'])
})

t.test(
  'the folder of a run from elsewhere is shown as far as it is whole, without what lies outside of it',
  async t => {
    const folder = t.testdir({
      run: {
        'manifest.json': '{"status":"completed"}',
        'nodes.json': {},
        'binary.jsonl': '\u0000\u0001',
        'whole.jsonl': '{"step":1}\n',
        results: { 'a.json': '{"id":"a"}' },
      },
      'secret.jsonl': '{"password":"p"}\n',
      'secret.json': '{"password":"p"}',
    })
    const run = join(folder, 'run')
    symlinkSync('loop.jsonl', join(run, 'loop.jsonl'))
    symlinkSync('status.json', join(run, 'status.json'))
    symlinkSync(join(folder, 'secret.jsonl'), join(run, 'metrics.jsonl'))
    symlinkSync(join(folder, 'secret.json'), join(run, 'results', 'b.json'))
    symlinkSync('c.json', join(run, 'results', 'c.json'))
    const messages = new RunReader(run, 'run').look()
    t.same(
      messages.flatMap(message =>
        message.type === 'lines' && message.entries.length > 0 ? [[message.stream, message.entries]] : [],
      ),
      [
        ['whole', [{ step: 1 }]],
        ['results', [{ id: 'a' }]],
      ],
    )
    t.equal(messages[0]?.type, 'manifest')
  },
)

t.test(
  'a line that is longer than what is read at a time is left out, and those after it are not',
  async t => {
    const run = t.testdir({ 'metrics.jsonl': '{"step":1}\n' })
    const reader = new RunReader(run, 'run', 100)
    const steps = () =>
      reader
        .look()
        .flatMap(message => (message.type === 'lines' ? message.entries.map(({ step }) => step) : []))
    t.same(steps(), [1])
    appendFileSync(join(run, 'metrics.jsonl'), `{"step":2,"text":"${'x'.repeat(1000)}"}\n{"step":3}\n`)
    t.same(Array.from({ length: 15 }, steps).flat(), [3])
    t.same(steps(), [])
  },
)
