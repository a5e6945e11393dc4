import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { withPresets } from '../../../../engine/cli/generate/presets-page.ts'
import { repository } from '../../../fixtures.ts'

const page = readFileSync(join(repository, 'graphs/README.md'), 'utf8')
const marks = '<!-- presets: written by engine/cli/generate/presets.ts -->\n<!-- /presets -->'

t.test('graphs/README.md lists the graphs as they are', async t => {
  const now = withPresets(page, join(repository, 'graphs'))
  t.equal(now, page, 'else run: node dist/engine/cli/generate/presets.js')
})

t.test('a table says what each graph changes, after the graph that it extends', async t => {
  const graph = (value: object) => JSON.stringify({ summary: 'Why.', ...value })
  const folder = t.testdir({
    presets: {
      'a.json': graph({ extends: 'b.json', nodes: { n: { config: { beta: 0.5, gamma: null } } } }),
      'b.json': graph({
        extends: '../grpo.json',
        params: {
          p: { default: 3 },
          q: null,
          r: { type: 'string', default: 'x|y' },
          s: { description: 'S.' },
        },
        checkpoint: null,
        nodes: {
          m: { operator: 'stream.take', config: { count: 1 } },
          old: null,
          n: { from: { i: 'm.items' } },
        },
      }),
    },
    controls: {},
    eval: {},
  })
  const rows = withPresets(`Before.\n${marks}\nAfter.\n`, folder)
    .split('\n')
    .filter(line => line.startsWith('| ['))
  t.same(rows, [
    '| [presets/b](presets/b.json) | `grpo` | Why. | `p = 3`, no param `q`, param `r = "x\\|y"`, no `checkpoint`, `m`: `stream.take`, no `old`, `n.i = "m.items"` |',
    '| [presets/a](presets/a.json) | `presets/b` | Why. | `n.beta = 0.5`, no `n.gamma` |',
  ])
})
