import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { downloadNamed } from '../../../engine/cli/downloads.ts'
import { registry } from '../../../engine/cli/registry.ts'
import { usePins } from '../../../operators/hub/hub-cache.ts'
import { hubServer } from '../../operators/hub/hub-server.ts'

const graph = (path: string) =>
  JSON.stringify({
    version: 1,
    summary: 'Copies rows.',
    params: { data: { type: 'string', default: path, description: 'Rows.' } },
    nodes: {
      rows: { operator: 'read.jsonl', config: { path: `\${data}` } },
      file: { operator: 'write.jsonl', config: { path: 'copy.jsonl' }, from: { items: 'rows.items' } },
    },
  })

t.test('a run reads what an id names, and its files hold the commit and no token', async t => {
  const hub = await hubServer({ 'datasets/me/rows': { 'rows.jsonl': Buffer.from('{"a":1}\n') } })
  t.teardown(() => hub.close())
  const folder = t.testdir({ 'g.json': graph('hf:me/rows@v1/rows.jsonl') })
  const here = process.cwd()
  process.chdir(folder)
  t.teardown(() => process.chdir(here))
  Object.assign(process.env, {
    HF_ENDPOINT: hub.url,
    HF_HUB_CACHE: join(folder, 'cache'),
    HF_TOKEN: 'hf_secret',
    HF_HOME: folder,
  })
  const said: string[] = []
  const say = (line: string) => said.push(line)
  const world = {
    registry,
    environment: {},
    screen: { write: say },
    print: say,
    complain: say,
    prepare: (plan: Parameters<typeof downloadNamed>[0], facts?: Readonly<Record<string, unknown>>) =>
      downloadNamed(plan, facts, { screen: { write: say }, say }),
  }
  t.equal(await command(['run', 'g.json', '--out', 'run'], world), 0, said.join('\n'))
  t.equal(readFileSync('copy.jsonl', 'utf8'), '{"a":1}\n')
  t.same(JSON.parse(readFileSync('run/manifest.json', 'utf8')).hub, { 'dataset me/rows@v1': 'c'.repeat(40) })
  for (const entry of readdirSync('run', { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      t.notMatch(readFileSync(join(entry.parentPath, entry.name), 'utf8'), /hf_secret/, entry.name)
  t.match(said.join(''), /downloading me\/rows\/rows.jsonl {2}8 B of 8 B {2}file 1\/1/)
})

t.test('a resumed run takes the commit that it began with, and a folder goes before an id', async t => {
  const hub = await hubServer({ 'datasets/me/rows': { 'rows.jsonl': Buffer.from('{"a":1}\n') } })
  t.teardown(() => hub.close())
  const folder = t.testdir({})
  Object.assign(process.env, { HF_ENDPOINT: hub.url, HF_HUB_CACHE: folder, HF_HOME: folder })
  const { checkGraph } = await import('../../../engine/graph/check.ts')
  const planOf = (path: string) => {
    const { plan } = checkGraph('g.json', registry, { read: () => graph(path) })
    if (!plan) throw new Error('the graph must be right')
    return plan
  }
  const quiet = { screen: { write: () => {} }, say: () => {} }
  const pin = { 'dataset me/rows@main': 'd'.repeat(40) }
  await downloadNamed(planOf('hf:me/rows/rows.jsonl'), { hub: pin }, quiet)
  t.ok(readdirSync(join(folder, 'datasets--me--rows/snapshots')).includes('d'.repeat(40)))
  usePins({ 'dataset me/rows@main': 'c'.repeat(40) })

  const asked = hub.requests.length
  const here = process.cwd()
  process.chdir(folder)
  t.teardown(() => process.chdir(here))
  mkdirSync('hf:me/rows', { recursive: true })
  t.same(await downloadNamed(planOf('hf:me/rows'), undefined, quiet), {})
  t.equal(hub.requests.length, asked)
})
