// Promises of a plugin that never settle: Node would end the process without a word, since nothing is left to do.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { repository } from '../../fixtures.ts'

t.setTimeout(800_000)

const isSource = import.meta.url.endsWith('.ts')
const main = isSource ? ['--import', 'tsx', 'engine/cli/main.ts'] : ['dist/engine/cli/main.js']

/** A plugin in which one of its promises never settles. */
const plugin = (which: string) => `
const never = new Promise(() => {})
const settles = name => (name === '${which}' ? never : Promise.resolve())
await settles('import')
export const api = 1
export const operators = {
  'my.count': {
    summary: 'Counts.', config: {}, inputs: {}, outputs: { items: 'any' },
    run: (_, _config, context) => ({
      items: context.source(async function* () {
        for (const key of ['0', '1', '2']) yield { key, value: 0 }
        await settles('source')
      }),
    }),
  },
  'my.work': {
    summary: 'Works.', config: { box: { type: 'string', resource: 'my.box', description: 'A box.' } },
    inputs: { items: 'any' }, outputs: {}, effects: true,
    run: ({ items }, _, context) => {
      context.checkpoint({ save: () => settles('save'), restore: () => {} })
      return { done: items.pipe(context.each(async () => { await settles('work') })) }
    },
  },
}
export const resources = {
  'my.box': {
    summary: 'A box.', config: {}, kind: 'my.box',
    open: () => settles('open'), close: () => settles('close'),
  },
}`

const graph = JSON.stringify({
  version: 1,
  summary: 'Waits.',
  plugins: ['./plugin.mjs'],
  checkpoint: { every: 1 },
  resources: { box: { resource: 'my.box' } },
  nodes: {
    items: { operator: 'my.count' },
    work: { operator: 'my.work', config: { box: 'box' }, from: { items: 'items.items' } },
  },
})

function run(t: Test, which: string) {
  const folder = t.testdir({ 'g.json': graph, 'plugin.mjs': plugin(which) })
  const words = [...main, 'run', join(folder, 'g.json'), '--out', join(folder, 'run')]
  return spawnSync(process.execPath, words, { cwd: repository, encoding: 'utf8', timeout: 400_000 })
}

t.test('a promise that never settles ends the run by name with exit code 1', async t => {
  const cases = {
    source: 'node "items" (my.count): its work never ends',
    work: 'node "work" (my.work): its work on item "0" never ends',
    open: 'opening resource "box": never ends',
    close: 'closing resource "box": never ends',
    save: 'saving _nodes/work: never ends',
    import: 'the command never ended',
  }
  for (const [which, expected] of Object.entries(cases)) {
    const { status, stderr } = run(t, which)
    t.match(stderr, expected, which)
    t.equal(status, 1, which)
    t.notMatch(stderr, / at .*:\d+:\d+/, 'no stack')
  }
  t.equal(run(t, 'none').status, 0)
})
