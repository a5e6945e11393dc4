// What flow new writes, and plugins in TypeScript, work wherever they lie.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../fixtures.ts'
import { flow, graphOf, home, lines, node, nodeIn, write } from './installed.ts'

t.setTimeout(800_000)

const tsc = join(repository, 'node_modules/typescript/lib/tsc.js')

t.test('a plugin may be written in TypeScript, with modules of its own', async t => {
  write('double.ts', 'export const double = (value: number): number => 2 * value\n')
  write(
    'typed.ts',
    `import { operator, type Fields } from '@flow-graphs/flow/operator'
import { double } from './double.ts'
export const api = 1
const config = { count: { type: 'integer', default: 3, description: 'Numbers.' } } as const satisfies Fields
export const operators = {
  'my.twice': operator({
    summary: 'Counts in twos.', config, inputs: {}, outputs: { numbers: 'any' },
    run: (_, { count }, context) => ({
      numbers: context.source<number>(async function* () {
        for (let i = 0; i < count; i++) yield { key: String(i), value: double(i) }
      }),
    }),
  }),
}
`,
  )
  const nodes = {
    count: { operator: 'my.twice' },
    out: { operator: 'write.jsonl', config: { path: 'twos.jsonl' }, from: { items: 'count.numbers' } },
  }
  write('typed.json', graphOf(['./typed.ts'], nodes))
  const { code, complaints } = node(flow, 'run', 'typed.json', '--out', 'typed')
  t.equal(code, 0, complaints)
  t.same(lines('twos.jsonl'), [0, 2, 4])
  write('enum.ts', 'export const api = 1\nexport enum Colour { red }\nexport const operators = {}\n')
  write('enum.json', graphOf(['./enum.ts'], nodes))
  t.match(
    node(flow, 'check', 'enum.json').complaints,
    /enum\.json:1:\d+ plugins\.0: must be a module that can be loaded/,
  )
})

t.test('what flow new writes works and passes its own test', async t => {
  for (const what of [
    'operator my.shout',
    'reward my.brief',
    'loss my.loss',
    'graph copy',
    'preset my-grpo --extends flow:presets/trl-grpo.json',
    'preset its-child --extends my-grpo.json',
    'kernel leaky-relu',
  ]) {
    const { out } = node(flow, 'new', ...what.split(' '))
    const [, call = 'no call'] = /^test it: node (.*)$/m.exec(out) ?? []
    const tested = node(...call.split(' '))
    t.equal(tested.code, 0, tested.out)
    t.match(tested.out, /^# fail 0$/m)
  }
  write('rows.jsonl', '{"values":[1,-2]}\n{"values":[0.5]}\n')
  const nodes = {
    rows: { operator: 'read.jsonl', config: { path: 'rows.jsonl' } },
    run: { operator: 'my.leaky-relu', config: { factor: 3 }, from: { rows: 'rows.items' } },
    out: { operator: 'write.jsonl', config: { path: 'tripled.jsonl' }, from: { items: 'run.rows' } },
  }
  write('kernel.json', graphOf(['./leaky-relu.mjs'], nodes))
  const ran = node(flow, 'run', 'kernel.json', '--out', 'kernel')
  t.equal(ran.code, 0, ran.complaints)
  t.match(ran.out, /: completed, (?!.*not freed)/)
  t.same(lines('tripled.jsonl'), [{ values: [3, -6] }, { values: [1.5] }], 'a graph runs the new kernel')
  write('leaky-relu.mjs', readFileSync(join(home, 'leaky-relu.mjs'), 'utf8').replace('* x[i];', '* x[i]];'))
  const broken = node(flow, 'run', 'kernel.json', '--out', 'broken-kernel')
  t.equal(broken.code, 1)
  t.match(broken.complaints, /kernel "leaky-relu", leaky-relu\.mjs:(\d+):\d+:\n.* x\[i\]\];.*\n +\^\n/)
  const [, line] = /leaky-relu\.mjs:(\d+):/.exec(broken.complaints) ?? []
  const text = readFileSync(join(home, 'leaky-relu.mjs'), 'utf8').split('\n')[Number(line) - 1]
  t.match(text, '* x[i]];', 'the line is that of the file')
  t.notMatch(broken.complaints, /\n {4}in: /, 'no second place')
  t.notMatch(broken.out + broken.complaints, /not freed/, 'a kernel that cannot be compiled leaves no memory')
  const again = node(flow, 'new', 'graph', 'copy')
  t.equal(again.code, 2)
  t.match(again.complaints, /copy\.json: must not be there yet/)
  for (const [words, complaint] of [
    ['preset other', /--extends: must name the graph that the preset extends/],
    [
      'preset other --extends flow:presets/none.json',
      /--extends flow:presets\/none\.json: must be a graph file, found no such file/,
    ],
    ['operator my.other --extends copy.json', /--extends: is for a preset, not for an operator/],
  ] as const)
    t.match(node(flow, 'new', ...words.split(' ')).complaints, complaint)
})

t.test('a loss that flow new writes trains in the graph beside it', async t => {
  t.equal(node(flow, 'new', 'loss', 'own.loss', '--out', 'losses').code, 0)
  const { code, complaints } = node(
    ...[flow, 'run', 'losses/own-loss.json', '--set', 'steps=2', '--set', 'group=2'],
    ...['--out', 'with-loss'],
  )
  t.equal(code, 0, complaints)
  const steps = lines('with-loss/metrics.jsonl')
  t.equal(steps.length, 2)
  for (const step of steps) t.equal(step.loss, step['my/loss'], 'the loss is that of the module')
})

t.test(
  'what flow new writes in TypeScript passes its test and the compiler, in folders of both kinds',
  async t => {
    const plugins = [
      'operator my.shout',
      'reward my.brief',
      'loss my.loss',
      'tower my-siglip',
      'kernel leaky-relu',
    ]
    for (const type of ['module', 'commonjs']) {
      write(`typed-${type}/package.json`, JSON.stringify({ type }))
      const folder = join(home, `typed-${type}`)
      for (const what of plugins) {
        const { out } = nodeIn(folder, flow, 'new', ...what.split(' '), '--ts')
        t.match(out, /^check its types: npx tsc \(npm install --save-dev typescript brings it\)$/m)
        const [, call = 'no call'] = /^test it: node (.*)$/m.exec(out) ?? []
        t.match(call, /^--import @flow-graphs\/flow\/register --test \S+\.test\.ts$/)
        const tested = nodeIn(folder, ...call.split(' '))
        t.equal(tested.code, 0, tested.out)
        t.match(tested.out, /^# fail 0$/m)
      }
      const checked = nodeIn(folder, tsc, '--listFilesOnly')
      for (const what of ['my-shout', 'my-brief', 'my-loss', 'my-siglip', 'leaky-relu'])
        for (const end of ['', '.test']) t.match(checked.out, join(folder, `${what}${end}.ts`))
      t.equal(nodeIn(folder, tsc).out, '')
      writeFileSync(join(folder, 'rows.jsonl'), '1\n2\n')
      const nodes = {
        rows: { operator: 'read.jsonl', config: { path: 'rows.jsonl' } },
        shout: { operator: 'my.shout', from: { numbers: 'rows.items' } },
        out: { operator: 'write.jsonl', config: { path: 'sums.jsonl' }, from: { items: 'shout.sums' } },
      }
      writeFileSync(join(folder, 'g.json'), graphOf(['./my-shout.ts'], nodes))
      const looked = nodeIn(folder, flow, 'check', 'g.json').out
      t.match(looked, /; node --import @flow-graphs\/flow\/register --test my-shout\.test\.ts runs them/)
      const ran = nodeIn(folder, flow, 'run', 'g.json', '--out', 'run')
      t.equal(ran.code, 0, ran.complaints)
      t.same(lines(`typed-${type}/sums.jsonl`), [2, 3])
    }
  },
)

t.test('a mistake in a plugin in TypeScript is found by the compiler', async t => {
  const file = join(home, 'typed-module/my-brief.ts')
  // as a compiler without the settings that flow new writes reads them, the types of the package included
  const bare = ['--ignoreConfig', '--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext']
  const plain = node(tsc, ...bare, file)
  t.equal(plain.code, 0, plain.out)
  writeFileSync(file, readFileSync(file, 'utf8').replace('ids.length', 'ids.size'))
  t.match(nodeIn(join(home, 'typed-module'), tsc).out, /my-brief\.ts.*Property 'size' does not exist/)
})

t.test('in a checkout of flow, a folder of plugins in TypeScript gets settings of its own', async t => {
  mkdirSync(join(repository, '.cache'), { recursive: true })
  const folder = mkdtempSync(join(repository, '.cache/plugins-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const program = join(repository, 'dist/engine/cli/main.js')
  const { out } = nodeIn(repository, program, 'new', 'reward', 'my.brief', '--ts', '--out', folder)
  const [, check = 'none'] = /^check its types: npx tsc (.*) \(npm/m.exec(out) ?? []
  const checked = nodeIn(repository, tsc, ...check.split(' '), '--listFiles')
  t.equal(checked.code, 0, 'the compiler has no complaint')
  t.ok(checked.out.includes(join(folder, 'my-brief.test.ts')), 'and reads them')
})

t.test('what cannot be written in TypeScript, and a name with the ending of a file, are refused', async t => {
  for (const [words, complaint] of [
    ['graph other --ts', /--ts: is for a plugin, not for a graph, which is no program/],
    ['preset other --extends copy.json --ts', /--ts: is for a plugin, not for a preset/],
    ['checkpoint --ts', /--ts: is for a plugin, not for a checkpoint/],
    [
      'reward my.other.ts',
      /my\.other\.ts: must be the name of the reward, not of its file\s+fix: +write my\.other --ts/,
    ],
    ['operator my.other.mjs', /must be the name of the operator, not of its file\s+fix: +write my\.other$/m],
    ['graph other.json', /must be the name of the graph, not of its file\s+fix: +write other$/m],
  ] as const) {
    const { code, complaints } = node(flow, 'new', ...words.split(' '))
    t.equal(code, 2)
    t.match(complaints, complaint)
  }
})

t.test(
  'flow new writes settings of the compiler where there are none, and leaves those that are there',
  async t => {
    const folder = join(home, 'settings')
    mkdirSync(join(folder, 'inner'), { recursive: true })
    writeFileSync(join(folder, 'tsconfig.json'), '{}')
    for (const out of ['.', 'inner']) {
      const made = nodeIn(folder, flow, 'new', 'operator', 'my.x', '--ts', '--out', out)
      t.equal(made.code, 0, made.complaints)
      t.notMatch(made.out, /wrote .*tsconfig/)
    }
    t.equal(readFileSync(join(folder, 'tsconfig.json'), 'utf8'), '{}')
  },
)

t.test('what flow new writes works in an empty folder and in one of CommonJS modules', async t => {
  for (const [kind, manifest] of [
    ['empty', undefined],
    ['commonjs', '{ "type": "commonjs" }'],
  ] as const) {
    const folder = mkdtempSync(join(tmpdir(), `flow-${kind}-`))
    t.teardown(() => rmSync(folder, { recursive: true }))
    if (manifest !== undefined) writeFileSync(join(folder, 'package.json'), manifest)
    const { out } = nodeIn(folder, flow, 'new', 'operator', 'my.shout')
    const [, call = 'no call'] = /^test it: node (.*)$/m.exec(out) ?? []
    t.match(call, /--import .*register\.js --test my-shout\.test\.mjs/, 'flow is not installed here')
    const tested = nodeIn(folder, ...call.split(' '))
    t.equal(tested.code, 0, tested.out)
    const nodes = {
      count: { operator: 'read.jsonl', config: { path: 'n.jsonl' } },
      shout: { operator: 'my.shout', from: { numbers: 'count.items' } },
      out: { operator: 'write.jsonl', config: { path: 'sums.jsonl' }, from: { items: 'shout.sums' } },
    }
    writeFileSync(join(folder, 'n.jsonl'), '1\n2\n')
    writeFileSync(join(folder, 'g.json'), graphOf(['./my-shout.mjs'], nodes))
    const ran = nodeIn(folder, flow, 'run', 'g.json', '--out', 'run')
    t.equal(ran.code, 0, ran.complaints)
    t.equal(readFileSync(join(folder, 'sums.jsonl'), 'utf8'), '2\n3\n')
    mkdirSync(join(folder, 'node_modules/@flow-graphs'), { recursive: true })
    symlinkSync(join(home, 'node_modules/@flow-graphs/flow'), join(folder, 'node_modules/@flow-graphs/flow'))
    t.notMatch(tested.out + tested.complaints, /MODULE_TYPELESS/)
    t.match(
      nodeIn(folder, flow, 'new', 'reward', 'my.brief').out,
      /^test it: node --test /m,
      'it is installed',
    )
  }
})

t.test('a tower that flow new writes keeps its contract and is part of a new checkpoint', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'flow-tower-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { out } = nodeIn(folder, flow, 'new', 'tower', 'my-siglip')
  const [, call = 'no call'] = /^test it: node (.*)$/m.exec(out) ?? []
  const tested = nodeIn(folder, ...call.split(' '))
  t.equal(tested.code, 0, tested.out)
  const config = JSON.parse(
    readFileSync(join(repository, 'operators/model/configurations/small.json'), 'utf8'),
  )
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ ...config, vision_model_name_or_path: 'my-siglip' }),
  )
  const made = ['new', 'checkpoint', '--config', 'config.json', '--out', 'model']
  const { code, complaints } = nodeIn(folder, flow, ...made, '--plugin', './my-siglip.mjs')
  t.equal(code, 0, complaints)
  t.match(JSON.parse(readFileSync(join(folder, 'model/parts.json'), 'utf8')), {
    parts: [{ table: 'towers', name: 'my-siglip', plugin: /my-siglip\.mjs$/ }],
  })
  const nodes = {
    samples: { operator: 'read.questions', config: { path: 'builtin:shapes/train.jsonl', limit: 1 } },
    clips: { operator: 'video.decode', from: { samples: 'samples.samples' } },
    frames: { operator: 'video.sample', config: { model: 'model' }, from: { clips: 'clips.clips' } },
  }
  const model = { resource: 'model', config: { path: './model' } }
  writeFileSync(join(folder, 'g.json'), graphOf([], nodes, { resources: { model } }))
  t.equal(nodeIn(folder, flow, 'check', 'g.json', '--plugin', './my-siglip.mjs').code, 0)
  const forgotten = nodeIn(folder, flow, 'check', 'g.json')
  t.equal(forgotten.code, 2, forgotten.out)
  t.match(
    forgotten.out + forgotten.complaints,
    /"my-siglip" among the towers, which the plugin .*my-siglip\.mjs has and no loaded one does:\s+add\s+--plugin /,
  )
})
