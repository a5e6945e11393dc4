// `flow/browser` as somebody uses it who has installed flow: bundled by esbuild as it comes, run in Chromium.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operators as anywhere } from '../../operators/anywhere.ts'
import { operators } from '../../operators/index.ts'
import { openBrowser, openPage, serve, softwareGpu, strangersPage } from '../browser.ts'
import { repository } from '../fixtures.ts'

t.setTimeout(800_000)

/** Doubles numbers on the GPU by a kernel of its own, and lets items of a mounted file flow through a graph. */
const page = `
import { compile, kernel, mount, openDevice, operator, readFileSync, Recording, RunReader, runGraph } from '@flow-graphs/flow/browser'

const double = operator({
  summary: 'Doubles a number.',
  config: {},
  inputs: { items: 'any' },
  outputs: { items: 'any' },
  run: ({ items }, _, context) => ({ items: items.pipe(context.each(({ n }) => ({ n: 2 * n }))) }),
})
const graph = {
  version: 1,
  summary: 'Doubles the odd numbers of a file.',
  params: { least: { type: 'integer', default: 0, description: 'Smallest number.' } },
  nodes: {
    rows: { operator: 'read.jsonl', config: { path: '/data/in.jsonl' } },
    odd: { operator: 'stream.filter', config: { where: 'n % 2 = 1 and n >= \${least}' }, from: { items: 'rows.items' } },
    double: { operator: 'my.double', from: { items: 'odd.items' } },
    out: { operator: 'write.jsonl', config: { path: '/data/out.jsonl' }, from: { items: 'double.items' } },
  },
}

async function work() {
  await mount('/data/in.jsonl', new TextEncoder().encode([1, 2, 3, 4, 5].map(n => JSON.stringify({ n })).join('\\n')))
  const run = await runGraph(graph, { directory: '/runs/one', seed: 1, set: ['least=3'], operators: { 'my.double': double } })
  const { status, error, leaked } = await run.done
  const wrong = await runGraph({ ...graph, nodes: { rows: { operator: 'read.jsonll' } } }, { directory: '/runs/two' }).catch(String)
  const device = await openDevice()
  const family = device.family
  device.close()
  return {
    status, leaked, error: error?.message, wrong, family,
    out: readFileSync('/data/out.jsonl', 'utf8'),
    messages: new RunReader('/runs/one', 'one').look().map(({ type }) => type),
  }
}
work().then(done => { globalThis.over = done }, error => { globalThis.over = { error: String(error.stack) } })
`

t.test('a graph runs in a page that a stranger bundles', async t => {
  const address = await serve(t, await strangersPage(t, page))
  const { page: opened, asked, faults } = await openPage(await openBrowser(t, softwareGpu), address)
  await opened.waitForFunction('globalThis.over', null, { timeout: 400_000 })
  const over: Record<string, unknown> = await opened.evaluate('over')
  t.match(over, {
    status: 'completed',
    leaked: 0,
    out: '{"n":6}\n{"n":10}\n',
    family: 'cpu',
    wrong: /read\.jsonl/,
  })
  t.ok((over.messages as string[]).includes('manifest'))
  t.same(
    asked.filter(url => !url.startsWith(address) && !url.startsWith('data:')),
    [],
  )
  t.same(faults, [])
})

t.test('the package carries the file, and names what a tab has not', async t => {
  const { files, exports } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  t.ok(files.includes('dist/browser'))
  t.equal(exports['./browser'].default, './dist/browser/flow.js')
  const absent = Object.keys(operators).filter(name => !(name in anywhere))
  t.ok(absent.every(name => /^(eval|judge|read|reward|video)\./.test(name)))
  for (const name of [
    'model.generate',
    'grpo.update',
    'video.decode',
    'video.sample',
    'reward.accuracy',
    'read.questions',
  ])
    t.ok(name in anywhere, name)
})
