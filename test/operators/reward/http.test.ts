import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { Group } from '../../../operators/kinds.ts'
import { askScorer } from '../../../operators/reward/ask-scorer.ts'
import http from '../../../operators/reward/http.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

const config = { name: 'judge', weight: 2, timeoutSeconds: 20, concurrency: 4 }
const group = groupOf([{ text: 'a' }, { text: 'bb', reward: 1 }])

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // it listens on TCP
  return `http://127.0.0.1:${port}/score`
}

async function score(url: string, options: object = {}): Promise<Group[]> {
  const input = { port: 'groups', values: [group], key: 'q0' }
  return (await runOver(http, { ...config, ...options, url }, input, 'groups')) as Group[]
}

t.test('an endpoint scores a group that is posted to it', async t => {
  const url = await serve(t, async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const { completions, key } = JSON.parse(text)
    t.match(request, { method: 'POST', headers: { 'content-type': 'application/json' } })
    t.equal(key, 'q0')
    response.end(JSON.stringify({ rewards: completions.map((c: { text: string }) => c.text.length) }))
  })
  const [scored] = await score(url)
  t.match(scored.completions, [
    { rewards: { judge: 1 }, reward: 2 },
    { rewards: { judge: 2 }, reward: 5 },
  ])
})

t.test('null leaves the reward out', async t => {
  const url = await serve(t, (_, response) => response.end('{"rewards": [null, 3]}'))
  const [scored] = await score(url)
  t.strictSame(
    scored.completions.map(({ rewards, reward }: Group['completions'][number]) => [rewards, reward]),
    [
      [{ judge: null }, undefined],
      [{ judge: 3 }, 7],
    ],
  )
})

const wrong: [string, RequestListener, object][] = [
  ['answers nothing', (_, r) => r.end(), { code: 'bad-answer', message: /got nothing/ }],
  ['answers prose', (_, r) => r.end('<html>'), { code: 'bad-answer', message: /got <html>/ }],
  ['answers too few', (_, r) => r.end('{"rewards": [1]}'), { code: 'bad-answer', message: /got 1 rewards/ }],
  ['answers NaN', (_, r) => r.end('{"rewards": [NaN, 1]}'), { code: 'bad-answer', message: /NaN/ }],
  [
    'answers lists in lists',
    (_, r) => r.end(`{"rewards": [${'['.repeat(100_000)}${']'.repeat(100_000)}, 1]}`),
    { code: 'bad-answer', message: /got a list at 0/ },
  ],
  ['fails', (_, r) => r.writeHead(503).end('busy'), { code: 'failed', message: /status 503; it said: busy/ }],
  ['breaks the connection', request => request.socket.destroy(), { code: 'not-started' }],
  [
    'breaks off within its answer',
    (request, r) => {
      r.writeHead(200, { 'content-length': 99 })
      r.write('{', () => request.socket.destroy())
    },
    { code: 'not-started' },
  ],
]
for (const [what, listener, error] of wrong)
  t.test(`an endpoint that ${what} is an error`, async t => {
    await t.rejects(score(await serve(t, listener)), { name: 'RewardError', ...error })
  })

t.test('a redirect is followed to the same endpoint alone, with the same question', async t => {
  const asked: string[] = []
  const elsewhere = await serve(t, (request, response) => {
    asked.push(`elsewhere ${request.method}`)
    response.end('{"rewards": [1, 1]}')
  })
  const url = await serve(t, async (request, response) => {
    let length = 0
    for await (const part of request) length += part.length
    asked.push(`${request.method} ${length > 10}`)
    const [status = 200, location = ''] =
      {
        '/near': [307, '/score'],
        '/see': [303, '/score'],
        '/far': [307, elsewhere],
        '/file': [302, 'file:///etc/passwd'],
        '/loop': [308, '/loop'],
      }[request.url ?? ''] ?? []
    if (location !== '') response.setHeader('location', location)
    response.writeHead(Number(status)).end('{"rewards": [1, 2]}')
  })
  const at = (path: string) => new URL(path, url).href
  const [scored] = await score(at('/near'))
  t.match(scored.completions, [{ rewards: { judge: 1 } }, { rewards: { judge: 2 } }])
  t.same(asked, ['POST true', 'POST true'])
  for (const [path, message] of [
    ['/see', /redirects with status 303 to \/score, where GET would be asked for instead of POST/],
    [
      '/far',
      /redirects with status 307 to http:.*, another host or scheme: --set url=ADDRESS names it, if you trust it/,
    ],
    ['/file', /to file:\/\/\/etc\/passwd, another host or scheme/],
    ['/loop', /to \/loop, after 5 other redirects/],
  ] as const)
    await t.rejects(score(at(path)), { code: 'failed', message }, path)
  t.notOk(asked.includes('elsewhere POST'))
})

t.test('a packed answer that unpacks without end is cut off', async t => {
  const bomb = gzipSync(Buffer.alloc(64_000_000, 32))
  const url = await serve(t, (_, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
  )
  await t.rejects(score(url), { code: 'bad-answer', message: /more than/ })
})

t.test('an endpoint that hangs, before its answer or within it, is left', async t => {
  const silent = await serve(t, () => {})
  await t.rejects(score(silent, { timeoutSeconds: 0.3 }), { code: 'late', message: /within 0.3 s/ })
  const halting = await serve(t, (_, response) => void response.write('{"rewards":'))
  await t.rejects(score(halting, { timeoutSeconds: 0.3 }), { code: 'late' })
})

t.test('an endpoint that nobody listens at is an error that says so', async t => {
  const url = await serve(t, () => {})
  const { port } = new URL(url)
  await t.rejects(score(`http://127.0.0.1:${Number(port) === 1 ? 2 : 1}/`), {
    code: 'not-started',
    message: /ECONNREFUSED|bad port/,
  })
})

t.test('an abort leaves the endpoint', async t => {
  const ending = new AbortController()
  const url = await serve(t, () => ending.abort())
  const limits = { source: 'judge', timeoutSeconds: 20, signal: ending.signal }
  await t.rejects(askScorer(url, '{}', limits), { code: 'aborted' })
  await t.rejects(askScorer(url, '{}', limits), { code: 'aborted' })
})

t.test('an answer without end is cut off', async t => {
  const url = await serve(t, (_, response) => {
    const more = () => void (response.destroyed || response.write('1'.repeat(65536), more))
    more()
  })
  await t.rejects(score(url), { code: 'bad-answer', message: /more than/ })
})
