// The exit code of every verb is its own, also when its reader leaves after a line.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { verbs } from '../../../engine/cli/command.ts'
import { repository } from '../../fixtures.ts'

t.setTimeout(800_000)

const isSource = import.meta.url.endsWith('.ts')
const main = isSource ? ['--import', 'tsx', 'engine/cli/main.ts'] : ['dist/engine/cli/main.js']

const plugin = `
export const api = 1
export const operators = {
  'my.count': {
    summary: 'Counts.', config: { failAt: { type: 'integer', default: -1, description: 'Number.' } },
    inputs: {}, outputs: { items: 'any' },
    run: (_, { failAt }, context) => ({
      items: context.source(async function* () {
        for (let i = 0; i < 9; i++) {
          if (i === failAt) throw new Error('broken')
          yield { key: String(i), value: i }
        }
      }),
    }),
  },
  'my.learn': {
    summary: 'Records each item.', config: {}, inputs: { items: 'any' }, outputs: {}, effects: true,
    run: ({ items }, _, context) => ({
      done: items.pipe(context.each((value, { key }) => { context.record('metrics', { step: value + 1, key }); return undefined })),
    }),
  },
}`

const graph = JSON.stringify({
  version: 1,
  summary: 'Counts.',
  plugins: ['./plugin.mjs'],
  nodes: { items: { operator: 'my.count' }, learn: { operator: 'my.learn', from: { items: 'items.items' } } },
})

/** The exit code when the reader of its output leaves after the first line. */
function codeOf(words: readonly string[]): number | null {
  const line = '"$@" 2>&1 | head -1 >/dev/null; exit $PIPESTATUS'
  const all = ['-c', line, 'bash', process.execPath, ...main, ...words]
  return spawnSync('bash', all, { cwd: repository, timeout: 400_000 }).status
}

t.test('the exit code of a verb is its own when its output is closed', async t => {
  const folder = t.testdir({
    'g.json': graph,
    'plugin.mjs': plugin,
    torn: { 'status.json': '{', 'manifest.json': '{' },
  })
  const at = (name: string) => join(folder, name)
  const cases: readonly (readonly [number, ...string[]])[] = [
    [0, 'run', at('g.json'), '--out', at('run')],
    [1, 'run', at('g.json'), '--set', 'nodes.items.config.failAt=3', '--out', at('failed')],
    [2, 'run', at('missing.json')],
    [0, 'check', at('g.json')],
    [2, 'check', at('missing.json')],
    [0, 'explain', at('g.json')],
    [0, 'ops'],
    [0, 'graph', at('g.json')],
    [0, 'diff', at('g.json'), at('g.json')],
    [0, 'ls', folder],
    [2, 'ls', at('missing')],
    [0, 'show', at('run')],
    [1, 'show', at('torn')],
    [2, 'show', at('missing')],
    [0, 'diff', at('run'), at('failed')],
    [2, 'diff', at('run'), at('g.json')],
    [0, 'schema', at('g.json')],
    [0, '--version'],
    [2, 'set-up', 'now'],
    [2, 'run', at('g.json'), '--steps', '3'],
    [0, 'top', at('run'), '--once'],
    [1, 'top', at('torn'), '--once'],
    [0, 'tap', at('run'), 'learn.items'],
    [2, 'view', at('missing')],
    [2, 'replay', at('run'), '--item', 'none'],
    [1, 'run', '--resume', at('torn')],
    [2, 'merge'],
    [2, 'compare'],
    [2, 'table'],
    [2, 'export'],
    [2, 'new', 'nothing'],
    [0, 'adapters'],
    [2, 'simulate', at('g.json')],
    [2, 'simulate', at('g.json'), '--profile', at('run')],
    [2, 'adapters', 'more'],
    [2, 'work'],
    [2, 'work', 'http://127.0.0.1'],
    [0, 'help'],
    [2, 'help', 'nothing'],
  ]
  for (const [expected, ...words] of cases) t.equal(codeOf(words), expected, `flow ${words.join(' ')}`)
  const tried = new Set(cases.map(([, verb]) => verb))
  t.same(
    Object.keys(verbs).filter(verb => !tried.has(verb)),
    [],
    'every verb is tried',
  )
})

t.test('output that a full disk has lost is told, and is no success', t => {
  const line = '"$@" > /dev/full'
  for (const words of [['ops'], ['help'], ['check', 'graphs/grpo.json']]) {
    const all = ['-c', line, 'bash', process.execPath, ...main, ...words]
    const { status, stderr } = spawnSync('bash', all, { cwd: repository, encoding: 'utf8', timeout: 400_000 })
    t.equal(status, 1, words.join(' '))
    t.match(stderr, /^flow: what the command printed was lost: no space is left on the disk \(ENOSPC\)/m)
  }
  t.end()
})
