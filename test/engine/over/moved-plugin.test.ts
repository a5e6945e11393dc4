// A plugin's module that is no longer where the graph names it, in runs over many processes.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort, startNats } from '../../bench/machines/nats-server.ts'
import { type Ended, flow, needServer } from './processes.ts'

t.setTimeout(240_000)

/** Adds one to rows; until `file` is there it fails at the third. */
const plugin = `
import { existsSync } from 'node:fs'
export const api = 1
export const operators = {
  'my.add': {
    summary: 'Adds one.', inputs: { items: 'any' }, outputs: { items: 'any' },
    config: { file: { type: 'string', description: 'A file.' } },
    run: ({ items }, { file }, context) => ({
      items: items.pipe(context.each(value => {
        if (value === 3 && !existsSync(file)) throw new Error('not yet')
        return value + 1
      })),
    }),
  },
}`

function folderOf(t: Test) {
  const folder = t.testdir({ old: { 'add.mjs': plugin }, new: {}, 'rows.jsonl': '1\n2\n3\n4\n' })
  const at = (name: string) => join(folder, name)
  const graph = {
    version: 1,
    summary: 'Adds one.',
    plugins: ['./old/add.mjs'],
    checkpoint: { every: 1 },
    parts: { adds: { nodes: ['added'] } },
    nodes: {
      rows: { operator: 'read.jsonl', config: { path: at('rows.jsonl') } },
      added: { operator: 'my.add', config: { file: at('go') }, from: { items: 'rows.items' } },
      file: { operator: 'write.jsonl', config: { path: at('out.jsonl') }, from: { items: 'added.items' } },
    },
  }
  writeFileSync(at('graph.json'), JSON.stringify(graph))
  const move = () => renameSync(at('old/add.mjs'), at('new/add.mjs'))
  return { at, move, rows: () => readFileSync(at('out.jsonl'), 'utf8') }
}

t.test('the workers of a run that goes on load the module from its new place', async t => {
  needServer(t)
  const { at, move, rows } = folderOf(t)
  const first = await flow(['run', at('graph.json'), '--out', at('run'), '--workers', '1'])
  t.match(first, { code: 1, text: /not yet/ })
  move()
  writeFileSync(at('go'), '')
  const moved = ['--plugin', at('new/add.mjs')]
  const { code, text } = await flow(['run', '--resume', at('run'), ...moved, '--workers', '1'])
  t.equal(code, 0, text)
  t.notMatch(text, /ended \(exit code/)
  t.equal(rows(), '2\n3\n4\n5\n')
})

t.test('a worker without the module says what it was not given; with its new place it works', async t => {
  needServer(t)
  const { at, move, rows } = folderOf(t)
  writeFileSync(at('go'), '')
  const port = await freePort()
  const server = await startNats(port, ['-js', '-sd', at('nats')])
  t.teardown(() => server.kill())
  const address = `nats://127.0.0.1:${port}`
  const home: Promise<Ended> = flow(['run', at('graph.json'), '--out', at('run'), '--over', address])
  while (!existsSync(at('run/over.json'))) await new Promise(done => setTimeout(done, 50))
  move()
  const work = (...plugins: string[]) => flow(['work', address, '--out', at('work'), ...plugins])
  const refused = await work()
  t.not(refused.code, 0)
  t.match(
    refused.text,
    /uses the plugin \.\/old\/add\.mjs, which this worker was not given: start it with --plugin \.\/old\/add\.mjs, or with the place of that module on this machine, if you trust it/,
  )
  const worked = await work('--plugin', at('new/add.mjs'))
  t.equal(worked.code, 0, worked.text)
  const { code, text } = await home
  t.equal(code, 0, text)
  t.equal(rows(), '2\n3\n4\n5\n')
})
