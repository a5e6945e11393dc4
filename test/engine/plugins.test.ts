import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../fixtures.ts'
import { flow, graphOf, home, lines, node, nodeIn, write } from './installed.ts'

t.setTimeout(800_000)
const page = readFileSync(join(repository, 'operators/README.md'), 'utf8')

for (const name of ['reward', 'loss', 'sampler', 'source', 'tower']) {
  const [, ending = '', code = ''] =
    new RegExp(`\`\`\`(js|ts) plugin=${name}\n([\\s\\S]*?)\`\`\``).exec(page) ?? []
  t.ok(code !== '' && code.split('\n').length < 40, `the ${name} of the README has fewer than 40 lines`)
  write(`${name}.${ending}`, code)
}

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

t.test('a tower from outside is part of a checkpoint that names it', async t => {
  node(flow, 'run', 'flow:demo/shapes.json', '--set', 'clips=1', '--set', 'out=shapes', '--out', 'made')
  const answer = (tower: string, ...words: string[]) => {
    const path = 'shapes/config.json'
    const config = JSON.parse(readFileSync(join(home, path), 'utf8'))
    write(path, JSON.stringify({ ...config, vision_model_name_or_path: tower }))
    return node(flow, 'run', 'answer.json', ...words)
  }
  const on = (from: string) => ({ config: { model: 'model' }, from: { [from]: `${from}.${from}` } })
  const nodes = {
    samples: { operator: 'read.questions', config: { path: './shapes/train.jsonl', limit: 1 } },
    clips: { operator: 'video.decode', from: { samples: 'samples.samples' } },
    frames: { operator: 'video.sample', ...on('clips') },
    prompts: { operator: 'model.encode', ...on('frames') },
    answers: {
      operator: 'model.answer',
      config: { model: 'model', maxNewTokens: 16 },
      from: { prompts: 'prompts.prompts' },
    },
  }
  const model = { resource: 'model', config: { path: './shapes' } }
  write('answer.json', graphOf([], nodes, { resources: { model } }))
  t.equal(answer('siglip', '--out', 'plain').code, 0)
  const { complaints } = answer('shallow-tower', '--out', 'none')
  t.match(
    complaints,
    /vision_model_name_or_path.*"shallow-tower" is not supported; supported: names with "siglip"/,
  )
  const { code } = answer('shallow-tower', '--plugin', './tower.ts', '--out', 'shallow')
  t.equal(code, 0)
  t.not(
    lines('shallow/answers.jsonl')[0].answer,
    lines('plain/answers.jsonl')[0].answer,
    'other features, another answer',
  )
  t.match(
    node(flow, 'ops', '--plugin', './tower.ts').out,
    /towers\n(?: {2}.*\n)* {2}shallow-tower +SigLIP up to its first block\./,
  )
  write(
    'scaled.js',
    `import { layerScale, parameter, siglip } from '@flow-graphs/flow/parts'
export const api = 1
const name = 'vision_tower._vision_tower.vision_model.feature_scale'
const parse = (fields, use) => {
  const base = siglip(fields, use)
  const more = tensors => new Map([...tensors, [name, [base.network.hidden]]])
  const record = (pass, weights, pixels) =>
    layerScale(pass, base.network.record(pass, weights, pixels), parameter(weights, name))
  const { tensors, stored, network } = base
  return { ...base, kind: 'scaled', tensors: more(tensors), stored: more(stored), network: { ...network, record } }
}
export const parts = { towers: { 'scaled-siglip': { summary: 'SigLIP with a scale for each channel.', parse } } }
`,
  )
  const { vision_model_name_or_path: _, ...config } = JSON.parse(
    readFileSync(join(home, 'shapes/config.json'), 'utf8'),
  )
  write('config.json', JSON.stringify({ ...config, vision_model_name_or_path: 'me/scaled-siglip' }))
  const scaled = [
    'new',
    'checkpoint',
    '--config',
    'config.json',
    '--out',
    'scaled',
    '--plugin',
    './scaled.js',
  ]
  t.match(node(flow, ...scaled).out, /scaled is complete/)
  t.match(
    readFileSync(join(home, 'scaled/model.safetensors')).toString('latin1', 0, 100_000),
    /vision_model\.feature_scale/,
  )
  const set = ['--set', 'resources.model.config.path=./scaled', '--out', 'scaled-answers']
  t.equal(node(flow, 'run', 'answer.json', '--plugin', './scaled.js', ...set).code, 0)
  write(
    'clash-parts.js',
    'export const api = 1\nexport const parts = { towers: { siglip: {}, mine: {} }, tower: {} }\n',
  )
  const clash = node(flow, 'ops', '--plugin', './clash-parts.js')
  t.match(clash.complaints, /"parts" must name tables that there are, found "tower".*nearest "towers"/)
  t.match(clash.complaints, /parts\.towers\.mine must hold a "summary" and a function "parse"/)
})

t.test('the package brings few others, runs nothing when it is installed, and compares formulas', async t => {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
  const entries = Object.entries<{ dev?: boolean; name?: string }>(lock.packages)
  const installed = entries.filter(([path, { dev }]) => path !== '' && !dev)
  t.ok(installed.length <= 60, `${installed.length} packages, two of them the types of Node`)
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
  t.notMatch(complaints, /nodes\.count\.operator/, 'its operator may be one of theirs')
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
