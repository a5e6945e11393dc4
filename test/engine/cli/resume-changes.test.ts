// What a resumed run depends on: other data, plugins or settings are named and refused, or accepted and recorded.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defer, EMPTY } from 'rxjs'
import t, { type Test } from 'tap'
import { operator } from '../../../engine/operator.ts'
import take from '../../../operators/stream/take.ts'
import writeLines from '../../../operators/write/jsonl.ts'
import { graphText } from '../support.ts'
import { callerWith } from './caller.ts'

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

const call = callerWith({ operators: { rows, 'stream.take': take, 'write.jsonl': writeLines } })

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

t.test(
  'it goes on although another node may skip only a share; the checkpoint tells which node has skipped',
  async t => {
    const folder = t.testdir({ 'rows.jsonl': table(9) })
    const nodes = {
      rows: { operator: 'rows', config: { path: join(folder, 'rows.jsonl') } },
      work: { operator: 'work', config: { failAt: 5 }, from: { numbers: 'rows.numbers' } },
      more: { operator: 'work', from: { numbers: 'work.numbers' }, onError: { skip: 0.05 } },
      end: { operator: 'collect', from: { items: 'more.numbers' } },
    }
    writeFileSync(join(folder, 'g.json'), graphText(nodes, { checkpoint: { every: 2 } }))
    const run = join(folder, 'run')
    t.match(await call('run', join(folder, 'g.json'), '--out', run), { code: 1, text: /item "5"/ })
    const resume = (...words: string[]) => call('run', '--resume', run, ...words)
    t.match(await resume('--set', 'nodes.work.onError=skip'), { code: 0, text: /: completed, .*1 skipped/ })
    const [last] = readdirSync(join(run, 'checkpoints'))
      .filter(name => /^\d+$/.test(name))
      .sort()
      .reverse()
    const state = JSON.parse(readFileSync(join(run, 'checkpoints', last ?? '', 'state.json'), 'utf8'))
    t.match(state, { skipped: 1, skips: { work: 1 } })
  },
)

t.test('a setting that changes what the checkpoint means is refused by name', async t => {
  const { resume } = await failedRun(t)
  for (const set of [
    'nodes.work.config.failAt=-1',
    'nodes.rows.config.count=x',
    'checkpoint.every=9',
    'steps=3',
  ])
    t.match(await resume('--set', set), {
      code: 2,
      text: `--set ${set}: must leave the meaning of the checkpoint`,
    })
  t.match((await resume('--set', 'steps=3')).text, 'write --steps 3')
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

t.test('data that lies elsewhere is found by --set, if its content is what it was', async t => {
  const { folder, run, resume } = await movable(t)
  renameSync(join(folder, 'data'), join(folder, 'archive'))
  t.match(await resume(), { code: 2, text: /rows.jsonl was .*, is missing/ })
  const moved = `data=${join(folder, 'archive/rows.jsonl')}`
  writeFileSync(join(folder, 'archive/clips/0.mp4'), 'other')
  t.match(await resume('--set', moved), {
    code: 2,
    text: /0.mp4 was 4 bytes, .*, is 5 bytes, .* at .*archive/,
  })
  writeFileSync(join(folder, 'archive/clips/0.mp4'), 'zero')
  t.match(await resume('--set', moved), { code: 1, text: /item "5"/ }, 'it goes on, to the item that fails')
  t.same(manifestOf(run).set, [moved])
  t.match(await resume('--set', 'nodes.work.onError=skip'), { code: 0 }, 'and finds the data by itself now')
})

t.test('a whole project moves, and its run goes on from anywhere', async t => {
  const { folder } = await movable(t)
  const place = `${folder}-moved`
  rmSync(place, { recursive: true, force: true })
  process.chdir(dirname(folder))
  renameSync(folder, place)
  t.teardown(() => rmSync(place, { recursive: true, force: true }))
  const words = ['run', '--resume', join(place, 'run'), '--set', 'nodes.work.onError=skip']
  t.match(await call(...words), { code: 0, text: /: completed/ })
})

t.test('--steps makes a run longer, also a completed one; less than it has is refused', async t => {
  const folder = t.testdir({ 'rows.jsonl': table(9) })
  const [file, run] = [join(folder, 'g.json'), join(folder, 'run')]
  writeFileSync(file, countedGraph(join(folder, 'rows.jsonl'), join(folder, 'lines.jsonl')))
  t.match(await call('run', file, '--out', run), { code: 0 })
  const written = () => readFileSync(join(folder, 'lines.jsonl'), 'utf8').trim().split('\n').map(Number)
  t.same(written(), [0, 1, 2])
  t.match(await call('run', '--resume', run), { code: 0, text: /already completed/ })
  t.match(await call('run', '--resume', run, '--steps', '2'), { code: 2, text: /must be at least the 3/ })
  t.match(await call('run', '--resume', run, '--steps', 'many'), { code: 2, text: /must be a whole number/ })
  t.match(await call('run', '--resume', run, '--steps', '5'), { code: 0, text: /completed/ })
  const longer = written()
  t.equal(longer.length, 5)
  t.ok(
    new Set(longer).size === 5 && longer.every((row, i) => i === 0 || row > (longer[i - 1] ?? 9)),
    'further rows',
  )
  t.match(manifestOf(run), { set: ['steps=5'], resumed: [{ steps: 5 }] })
})

/** A graph whose param says how many rows are taken. */
function countedGraph(data: string, path: string): string {
  const nodes = {
    rows: { operator: 'rows', config: { path: data } },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
    some: { operator: 'stream.take', config: { count: '${steps}' }, from: { items: 'rows.numbers' } },
    end: { operator: 'write.jsonl', config: { path }, from: { items: 'some.items' } },
  }
  const params = { steps: { type: 'integer', minimum: 1, default: 3, description: 'Rows.' } }
  return graphText(nodes, { params, checkpoint: { every: 0 } })
}

/** As `failedRun`, in a folder of its own that is the working directory, with its data in a param. */
async function movable(t: Test) {
  const home = process.cwd()
  t.teardown(() => process.chdir(home))
  const folder = t.testdir({
    project: { data: { 'rows.jsonl': table(9), clips: { '0.mp4': 'zero', '1.mp4': 'one' } } },
  })
  const project = join(folder, 'project')
  process.chdir(project)
  const nodes = {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
    rows: { operator: 'rows', config: { path: '${data}' } },
    work: { operator: 'work', config: { failAt: 5 }, from: { numbers: 'rows.numbers' } },
    end: { operator: 'collect', from: { items: 'work.numbers' } },
  }
  const params = { data: { type: 'string', default: 'data/rows.jsonl', description: 'Rows.' } }
  writeFileSync('g.json', graphText(nodes, { params, checkpoint: { every: 2 } }))
  t.match(await call('run', 'g.json', '--out', 'run'), { code: 1, text: /item "5"/ })
  const run = join(project, 'run')
  return { folder: project, run, resume: (...words: string[]) => call('run', '--resume', run, ...words) }
}
