// `flow check` says what it could not look at: models and data on the hub, data that a run makes, the code of plugins.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { told } from '../told.ts'

t.test('a model and data that would be downloaded, and data that the run makes', async t => {
  const folder = t.testdir({})
  const before = { ...process.env }
  Object.assign(process.env, {
    HF_HOME: folder,
    HF_HUB_CACHE: folder,
    FLOW_CACHE: join(folder, 'flow'),
    HF_HUB_OFFLINE: '',
  })
  t.teardown(() => {
    for (const name of ['HF_HOME', 'HF_HUB_CACHE', 'FLOW_CACHE', 'HF_HUB_OFFLINE']) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  })
  const { code, text } = await told('check', 'flow:coldstart.json', '--set', 'model=NOBODY/NOTHING')
  t.equal(code, 0)
  t.match(
    text,
    /^not checked: model: NOBODY\/NOTHING: .*not in the cache .* until then nobody knows whether it exists, its files, .* memory/m,
  )
  t.match(
    text,
    /^not checked: samples: builtin:shapes\/thoughts\.jsonl: the first run that names it makes it$/m,
  )
  t.match(text, /^flow:coldstart\.json: ok as far as it was checked, /m)
  const data = await told('check', 'flow:grpo.json', '--set', 'data=hf:NOBODY/NOTHING/rows.jsonl')
  t.match(data.text, /^not checked: samples: hf:NOBODY\/NOTHING\/rows\.jsonl: not in the cache .* its rows$/m)
})

t.test(
  'the code of a plugin, with the test that runs it; a graph of flow alone has nothing unchecked',
  async t => {
    const folder = t.testdir({
      'rows.jsonl': '{"a": 1}\n',
      'mine.test.mjs': '',
      'mine.mjs': `export const api = 1
export const operators = {
  'my.same': {
    summary: 'Passes on.',
    config: {},
    inputs: { items: 'any' },
    outputs: { items: 'any' },
    run: ({ items }) => ({ items }),
  },
}
`,
    })
    const here = process.cwd()
    process.chdir(folder)
    t.teardown(() => process.chdir(here))
    const nodes = {
      rows: { operator: 'read.jsonl', config: { path: 'rows.jsonl' } },
      file: { operator: 'write.jsonl', config: { path: 'out.jsonl' }, from: { items: 'rows.items' } },
    }
    const mine = {
      ...nodes,
      same: { operator: 'my.same', from: { items: 'rows.items' } },
      file: { ...nodes.file, from: { items: 'same.items' } },
    }
    const graph = { version: 1, summary: 'Copies.', nodes }
    writeFileSync('plain.json', JSON.stringify(graph))
    writeFileSync('mine.json', JSON.stringify({ ...graph, plugins: ['./mine.mjs'], nodes: mine }))
    const { text } = await told('check', 'mine.json')
    t.match(
      text,
      /^not checked: mine\.mjs: what my\.same does with an item, and the WGSL of its kernels if it has any; node --test mine\.test\.mjs runs them$/m,
    )
    t.match(text, /^mine\.json: ok as far as it was checked, 3 nodes/m)
    t.match((await told('check', 'plain.json')).text, /^plain\.json: ok, 2 nodes/m)
  },
)
