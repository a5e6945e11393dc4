// What a resumed run depends on: other data, plugins or settings are named and refused, or accepted and recorded.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defer, EMPTY } from 'rxjs'
import t, { type Test } from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { operator } from '../../../engine/operator.ts'
import { graphText, testBed } from '../support.ts'

/** Kernels that the GPU of the next run takes. */
let family = 'gpu'

/** A source that gives the number in each row of a table. */
const rows = operator({
  summary: 'Reads numbers.',
  config: { path: { type: 'string', description: 'A table.' } },
  inputs: {},
  outputs: { numbers: 'number' },
  run: (_, { path }, context) => ({
    device: defer(() => {
      context.manifest('adapter', { family })
      return EMPTY
    }),
    numbers: context.source(async function* () {
      const lines = readFileSync(path, 'utf8').trim().split('\n')
      for (const [i, line] of lines.entries())
        yield { key: String(i), value: Number(JSON.parse(line).number) }
    }),
  }),
})

async function call(...words: string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const say = (line: string) => {
    text += `${line}\n`
  }
  const { registry } = testBed({ operators: { rows } })
  const world = { registry, environment: {}, screen: { write: () => {} }, print: say, complain: say }
  const code = await command(words, { ...world, prepare: async () => {} })
  return { code, text }
}

const table = (count: number) =>
  Array.from({ length: count }, (_, i) => `{ "number": ${i}, "clip": "clips/${i % 2}.mp4" }\n`).join('')

/** A run that failed at its sixth item, with checkpoints. */
async function failedRun(t: Test) {
  const folder = t.testdir({ 'rows.jsonl': table(9), clips: { '0.mp4': 'zero', '1.mp4': 'one' } })
  const nodes = {
    rows: { operator: 'rows', config: { path: join(folder, 'rows.jsonl') } },
    work: { operator: 'work', config: { failAt: 5 }, from: { numbers: 'rows.numbers' } },
    end: { operator: 'collect', from: { items: 'work.numbers' } },
  }
  writeFileSync(join(folder, 'g.json'), graphText(nodes, { checkpoint: { every: 2 } }))
  const run = join(folder, 'run')
  t.match(await call('run', join(folder, 'g.json'), '--out', run), { code: 1, text: /item "5"/ })
  return { folder, run, resume: (...words: string[]) => call('run', '--resume', run, ...words) }
}

const manifestOf = (run: string) => JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8'))

t.test('a run that one item ended goes on with another onError, and its manifest says so', async t => {
  const { run, resume } = await failedRun(t)
  t.match(await resume(), { code: 1, text: /item "5"/ }, 'it fails again as it is')
  const set = 'nodes.work.onError=skip'
  t.match(await resume('--set', set), { code: 0, text: /: completed, .*1 skipped/ })
  const manifest = manifestOf(run)
  t.same(manifest.set, [set])
  t.match(manifest.resumed, [{}, { checkpoint: '000004', set: [set] }])
})

t.test('a setting that changes what the checkpoint means is refused by name', async t => {
  const { resume } = await failedRun(t)
  for (const set of [
    'nodes.work.config.failAt=-1',
    'nodes.rows.config.path=x',
    'checkpoint.every=9',
    'steps=3',
  ])
    t.match(await resume('--set', set), {
      code: 2,
      text: `--set ${set}: must leave the meaning of the checkpoint`,
    })
  t.match(await resume('--set', 'nodes.work.config.concurrency=2', '--set', 'nodes.work.onError=skip'), {
    code: 0,
  })
})

t.test(
  'data that is not as it was is named and refused; --accept-changes goes on and records it',
  async t => {
    const { folder, run, resume } = await failedRun(t)
    const skip = ['--set', 'nodes.work.onError=skip']
    const changes: Record<string, () => void> = {
      'rows.jsonl': () => writeFileSync(join(folder, 'rows.jsonl'), table(9).replace('8', '9')),
      '0.mp4': () => writeFileSync(join(folder, 'clips/0.mp4'), 'shorter clip'),
      '1.mp4': () => rmSync(join(folder, 'clips/1.mp4')),
    }
    for (const [name, change] of Object.entries(changes)) {
      change()
      const { code, text } = await resume(...skip)
      t.equal(code, 2)
      t.match(text, /must find its data, models and plugins as they were/)
      t.ok(text.includes(`${name} was `), `${name} is named: ${text}`)
    }
    t.match(await resume(...skip, '--accept-changes'), { code: 0, text: /accepted: .*rows.jsonl was / })
    const { accepted } = manifestOf(run).resumed.at(-1)
    t.equal(accepted.length, 3)
  },
)

t.test('a run goes on from any directory', async t => {
  const { folder } = await failedRun(t)
  const home = process.cwd()
  t.teardown(() => process.chdir(home))
  process.chdir(folder)
  const nodes = {
    rows: { operator: 'rows', config: { path: 'rows.jsonl' } },
    work: { operator: 'work', config: { failAt: 5 }, from: { numbers: 'rows.numbers' } },
    end: { operator: 'collect', from: { items: 'work.numbers' } },
  }
  writeFileSync('h.json', graphText(nodes, { checkpoint: { every: 2 } }))
  t.match(await call('run', 'h.json', '--out', 'other'), { code: 1 })
  const away = join(dirname(folder), 'away')
  mkdirSync(away, { recursive: true })
  process.chdir(away)
  const path = join('..', folder.slice(dirname(folder).length + 1), 'other')
  t.match(await call('run', '--resume', path, '--set', 'nodes.work.onError=skip'), { code: 0 })
  t.equal(process.cwd(), away)
})

t.test('kernels of another family are named and refused', async t => {
  const { resume } = await failedRun(t)
  t.teardown(() => {
    family = 'gpu'
  })
  family = 'cpu'
  t.match(await resume('--set', 'nodes.work.onError=skip'), {
    code: 1,
    text: /kernels of the family "gpu" made the checkpoint, this GPU takes "cpu": --accept-changes/,
  })
  t.match(await resume('--set', 'nodes.work.onError=skip', '--accept-changes'), { code: 0 })
})

t.test(
  'a graph that is not as it was is refused; --accept-changes takes another config, never other nodes',
  async t => {
    const { folder, run, resume } = await failedRun(t)
    const file = join(folder, 'g.json')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('"failAt":5', '"failAt":-1'))
    t.match(await resume(), { code: 2, text: /nodes.work.config.failAt was 5, is -1/ })
    writeFileSync(file, text.replace('"end":', '"other":'))
    t.match(await resume('--accept-changes'), { code: 2, text: /must be as it was/ })
    writeFileSync(file, text.replace('"failAt":5', '"failAt":-1'))
    t.match(await resume('--accept-changes'), {
      code: 0,
      text: /accepted: nodes.work.config.failAt was 5, is -1/,
    })
    t.match(manifestOf(run).resumed, [{ accepted: ['nodes.work.config.failAt was 5, is -1'] }])
  },
)
