import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { repository } from '../fixtures.ts'

t.setTimeout(240_000)

// outside the tree, so that nothing of it is found but what the package holds
const home = mkdtempSync(join(tmpdir(), 'flow-plugins-'))
t.teardown(() => rmSync(home, { recursive: true, force: true }))
install()
const flow = join(home, 'node_modules/@flow-graphs/flow/dist/engine/cli/main.js')
const page = readFileSync(join(repository, 'operators/README.md'), 'utf8')

/** Runs Node in the folder of the plugins. */
const node = (...words: string[]) => nodeIn(home, ...words)

function nodeIn(cwd: string, ...words: string[]) {
  const FLOW_CACHE = process.env.FLOW_CACHE ?? join(repository, '.cache/flow')
  const { NODE_OPTIONS: _, ...environment } = process.env
  const run = spawnSync(process.execPath, words, {
    cwd,
    encoding: 'utf8',
    env: { ...environment, FLOW_CACHE },
    timeout: 200_000,
  })
  return { code: run.status, out: run.stdout, complaints: run.stderr }
}

for (const name of ['reward', 'loss', 'sampler', 'source']) {
  const code = new RegExp(`\`\`\`js plugin=${name}\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? ''
  t.ok(code !== '' && code.split('\n').length < 40, `the ${name} of the README has fewer than 40 lines`)
  write(`${name}.js`, code)
}

const graphOf = (plugins: readonly string[], nodes: object, rest: object = {}) =>
  JSON.stringify({ version: 1, summary: 'A test.', plugins, ...rest, nodes })

t.test('a source, a sampler and a reward from outside work in a graph that names them', async t => {
  const group = { prompt: {}, completions: [{ ids: [1, 2] }, { ids: Array.from({ length: 200 }, () => 1) }] }
  write('groups.jsonl', `${JSON.stringify(group)}\n`)
  const nodes = {
    count: { operator: 'my.count', config: { count: 40 } },
    some: { operator: 'my.sample', config: { share: 0.5 }, from: { items: 'count.numbers' } },
    numbers: { operator: 'write.jsonl', config: { path: 'numbers.jsonl' }, from: { items: 'some.items' } },
    groups: { operator: 'read.jsonl', config: { path: 'groups.jsonl' } },
    brevity: { operator: 'my.brevity', config: { weight: 1 }, from: { groups: 'groups.items' } },
    rewarded: {
      operator: 'write.jsonl',
      config: { path: 'rewarded.jsonl' },
      from: { items: 'brevity.groups' },
    },
  }
  write('g.json', graphOf(['./source.js', './sampler.js', './reward.js'], nodes))
  const { code, complaints } = node(flow, 'run', 'g.json', '--out', 'run')
  t.equal(code, 0, complaints)
  const numbers = lines('numbers.jsonl')
  t.ok(numbers.length > 8 && numbers.length < 32, `${numbers.length} of 40`)
  const [{ completions }] = lines('rewarded.jsonl')
  t.match(completions, [{ reward: 0.98, rewards: { brevity: 0.98 } }, { reward: 0 }])
})

t.test('a loss from outside trains the embedded model', async t => {
  const model = { resource: 'model', config: { path: 'builtin:shapes', train: ['connector', 'language'] } }
  const adamw = {
    resource: 'adamw',
    config: { model: 'policy', steps: 1, warmupRatio: 0, learningRate: 1e-3 },
  }
  const nodes = {
    samples: { operator: 'read.questions', config: { path: 'builtin:shapes/train.jsonl', limit: 1 } },
    clips: { operator: 'video.decode', from: { samples: 'samples.samples' } },
    frames: {
      operator: 'video.sample',
      config: { model: 'policy', count: 2 },
      from: { clips: 'clips.clips' },
    },
    prompts: { operator: 'model.encode', config: { model: 'policy' }, from: { frames: 'frames.frames' } },
    groups: {
      operator: 'model.generate',
      config: { model: 'policy', count: 2, maxNewTokens: 4 },
      from: { prompts: 'prompts.prompts' },
    },
    rewards: { operator: 'reward.accuracy-format', from: { groups: 'groups.groups' } },
    advantages: { operator: 'grpo.advantage', from: { groups: 'rewards.groups' } },
    update: {
      operator: 'my.reinforce',
      config: { model: 'policy', optimizer: 'optimizer' },
      from: { groups: 'advantages.groups' },
    },
  }
  write('train.json', graphOf(['./loss.js'], nodes, { resources: { policy: model, optimizer: adamw } }))
  const { code, complaints } = node(flow, 'run', 'train.json', '--out', 'trained')
  t.equal(code, 0, complaints)
  const [step] = lines('trained/metrics.jsonl')
  t.equal(step.step, 1)
  t.ok(step.grad_norm > 0 && Number.isFinite(step.reward) && Number.isFinite(step['my/tokens']))
})

t.test('the package brings few others, runs nothing when it is installed, and compares formulas', async t => {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
  const entries = Object.entries<{ dev?: boolean; name?: string }>(lock.packages)
  const installed = entries.filter(([path, { dev }]) => path !== '' && !dev)
  t.ok(installed.length < 60, `${installed.length} packages`)
  t.notOk(installed.some(([, { name }]) => name === 'empty-npm-package'))
  const { scripts } = JSON.parse(
    readFileSync(join(home, 'node_modules/@flow-graphs/flow/package.json'), 'utf8'),
  )
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) t.notOk(script in scripts, script)
  write(
    'compare.js',
    `import { formulas } from './node_modules/@flow-graphs/flow/dist/operators/reward/formulas.js'
const judge = formulas()
console.log(await judge.equal('x^2-1', '(x-1)(x+1)', 20))
await judge.close()
`,
  )
  t.equal(node('compare.js').out, 'true\n')
})

t.test('a plugin of another version, a broken one and one that is missing are refused', async t => {
  write('old.js', 'export const api = 99\nexport const operators = {}\n')
  write('none.js', 'export const operators = {}\n')
  write('slip.js', 'export const api = 1\nexport const operators = {')
  write(
    'clash.js',
    "export const api = 1\nexport const operators = { 'stream.batch': {}, 'my.x': { run() {} } }\n",
  )
  const nodes = { count: { operator: 'range' } }
  write('bad.json', graphOf(['./old.js', './none.js', './slip.js', './clash.js', '@me/nothing'], nodes))
  const { code, complaints } = node(flow, 'check', 'bad.json')
  t.equal(code, 2)
  t.match(complaints, /bad\.json:1:\d+ plugins\.0: must export "api" 1, .* found 99 \[bad-plugin\]/)
  t.match(
    complaints,
    /plugins\.1: must export "api" 1, .* found undefined.*\n.*fix: {2}add "export const api = 1" to it/,
  )
  t.match(complaints, /plugins\.2: must be a module that can be loaded, found "\.\/slip\.js"/)
  t.match(complaints, /plugins\.3: must not name an operator that is there already, found "stream\.batch"/)
  t.match(complaints, /plugins\.3: must hold what operator\(\) returns, found "my\.x"/)
  t.match(complaints, /plugins\.4: must be a module that can be loaded, found "@me\/nothing"/)
  t.match(
    complaints,
    /nodes\.count\.operator: must be a known operator/,
    'and the rest of the graph is checked too',
  )
})

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

t.test('a package and --plugin are found from where they are named', async t => {
  const own = { name: '@me/ops', version: '1.0.0', type: 'module', exports: { import: './index.js' } }
  write('node_modules/@me/ops/package.json', JSON.stringify(own))
  write('node_modules/@me/ops/index.js', readFileSync(join(home, 'source.js'), 'utf8'))
  const nodes = {
    count: { operator: 'my.count' },
    out: { operator: 'write.jsonl', config: { path: 'x.jsonl' }, from: { items: 'count.numbers' } },
  }
  write('sub/package.json', graphOf(['@me/ops'], nodes))
  t.equal(node(flow, 'check', 'sub/package.json').code, 0)
  write('plain.json', graphOf([], nodes))
  t.equal(node(flow, 'check', 'plain.json').code, 2)
  t.equal(node(flow, 'check', 'plain.json', '--plugin', './source.js').code, 0)
  t.match(node(flow, 'ops', 'my.count', '--plugin', './source.js').out, /my\.count: Counts up\./)
})

t.test(
  'a run goes on, and is repeated, with the plugins of its command line from another folder',
  async t => {
    write(
      'bell.js',
      `import { operator } from '@flow-graphs/flow/operator'
export const api = 1
export const operators = {
  'my.bell': operator({
    summary: 'Stops the run once.',
    config: {},
    inputs: { items: 'any' },
    outputs: { items: { kind: 'any', like: 'items' } },
    run: ({ items }, _, context) => ({
      items: items.pipe(context.each((value, { key }) => {
        context.record('metrics', { key, step: value + 1 })
        if (value === 3 && !process.argv.includes('--resume')) process.emit('SIGINT')
        return value
      })),
    }),
  }),
}
`,
    )
    const nodes = {
      count: { operator: 'my.count', config: { count: 9 } },
      bell: { operator: 'my.bell', from: { items: 'count.numbers' } },
      out: {
        operator: 'write.jsonl',
        config: { path: join(home, 'rung.jsonl') },
        from: { items: 'bell.items' },
      },
    }
    write('rung.json', graphOf([], nodes, { checkpoint: { every: 2 } }))
    const plugins = ['--plugin', './source.js', '--plugin', './bell.js']
    const graph = join(home, 'rung.json')
    t.equal(node(flow, 'run', graph, '--out', 'rung', ...plugins).code, 130)
    mkdirSync(join(home, 'elsewhere'))
    const { code, complaints } = nodeIn(join(home, 'elsewhere'), flow, 'run', '--resume', join(home, 'rung'))
    t.equal(code, 0, complaints)
    t.same(lines('rung.jsonl'), [0, 1, 2, 3, 4, 5, 6, 7, 8])
    t.match(node(flow, 'replay', 'rung', '--item', '7').out, /1 records: equal/)
    rmSync(join(home, 'bell.js'))
    const gone = node(flow, 'replay', 'rung', '--item', '7')
    t.equal(gone.code, 2)
    t.match(
      gone.complaints,
      /manifest\.json plugins\.1: must be a module that can be loaded, found ".\/bell\.js"/,
    )
  },
)

t.test('what flow new writes works and passes its own test', async t => {
  for (const what of [
    'operator my.shout',
    'reward my.brief',
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
  const again = node(flow, 'new', 'graph', 'copy')
  t.equal(again.code, 2)
  t.match(again.complaints, /copy\.json: must not be there yet/)
  for (const [words, complaint] of [
    ['preset other', /--extends: must name the graph that the preset extends/],
    ['preset other --extends flow:presets/none.json', /must be a graph file, found flow:presets\/none\.json/],
    ['operator my.other --extends copy.json', /--extends: is for a preset, not for an operator/],
  ] as const)
    t.match(node(flow, 'new', ...words.split(' ')).complaints, complaint)
})

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

function write(file: string, text: string): void {
  mkdirSync(dirname(join(home, file)), { recursive: true })
  writeFileSync(join(home, file), text)
}

function lines(file: string) {
  const text = readFileSync(join(home, file), 'utf8').trim()
  return text.split('\n').map(line => JSON.parse(line))
}

/** The package as `npm pack` makes it, next to its dependencies. */
function install(): void {
  spawnSync(process.execPath, ['engine/cli/set-up/vendor.mjs'], { cwd: repository })
  const packed = spawnSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', home], {
    cwd: repository,
    encoding: 'utf8',
  })
  const archive = readdirSync(home).find(name => name.endsWith('.tgz'))
  if (archive === undefined) throw new Error(`npm pack made nothing: ${packed.stderr}`)
  const place = join(home, 'node_modules/@flow-graphs/flow')
  mkdirSync(place, { recursive: true })
  spawnSync('tar', ['-xzf', join(home, archive), '-C', place, '--strip-components', '1'])
  const { dependencies } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(home, 'node_modules', name)), { recursive: true })
    symlinkSync(join(repository, 'node_modules', name), join(home, 'node_modules', name))
  }
  write('package.json', '{ "type": "module" }')
}
