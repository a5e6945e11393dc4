import { join } from 'node:path'
import t from 'tap'
import { checkGraph, loadGraph } from '../../../engine/graph/check.ts'
import { planMemory } from '../../../engine/graph/memory.ts'
import { describe } from '../../../engine/graph/problem.ts'
import { report } from '../../../engine/graph/problem-report.ts'
import { operator, resource } from '../../../engine/operator.ts'
import { readBytes, showBytes } from '../../../engine/shared/bytes.ts'
import { operators, resources } from '../../../operators/index.ts'
import { fixture, repository } from '../../fixtures.ts'
import { problemsOf } from '../support.ts'
import { registry as broken } from './broken/registry.ts'

const registry = { operators, resources }
const grpo = join(repository, 'graphs/grpo.json')
const tiny = fixture('tiny-bf16')
// a file of its own: the embedded questions may not have been made yet
const questions = join(t.testdir({ 'questions.jsonl': '{}\n' }), 'questions.jsonl')
const planOf = (...set: string[]) =>
  loadGraph(grpo, registry, { set: [`model=${tiny}`, `data=${questions}`, ...set] })

t.test('shapes of a model that is on disk are known without opening it', async t => {
  const plan = planOf('frames=5', 'group=3', 'maxNewTokens=7')
  t.match(plan.types.output({ node: 'frames', port: 'frames' }), /^frames f32\[F=5, 3, S=\d+, S=\d+\]$/)
  t.match(plan.types.input({ node: 'groups', port: 'prompts' }), /^prompt f32\[F=5, P=\d+, V=\d+\]$/)
  t.equal(
    plan.types.input({ node: 'update', port: 'groups' }),
    'group [G=3, T=7]',
    'through reward and advantage',
  )
})

t.test('frames for one model do not fit another', async t => {
  const other = { resource: 'model', config: { path: 'builtin:nothing' } }
  const sizes = {
    model: { ...resources.model, sizes: ({ path }: { path: string }) => ({ imageSize: path.length }) },
  }
  const text = JSON.stringify({
    version: 1,
    summary: 'S.',
    resources: { a: other, b: { ...other, config: { path: 'longer than the other' } } },
    nodes: {
      samples: { operator: 'read.questions', config: { path: 'x' } },
      clips: { operator: 'video.decode', from: { samples: 'samples.samples' } },
      frames: { operator: 'video.sample', config: { model: 'a' }, from: { clips: 'clips.clips' } },
      prompts: { operator: 'model.encode', config: { model: 'b' }, from: { frames: 'frames.frames' } },
    },
  })
  const { problems } = checkGraph(
    'g.json',
    { operators, resources: { ...resources, ...sizes } },
    { read: () => text },
  )
  t.match(problems.map(describe), [
    /prompts\.from\.frames: must have S = 21 .* found S = 15 from frames\.frames$/,
  ])
  t.match(report(problems, []), /from {2}frames\.frames {3}frames f32\[F=16, 3, S=15, S=15\]/)
})

t.test(
  'the memory of weights, moments, edges and steps adds up, and what it depends on grows with it',
  async t => {
    const memory = planMemory(planOf())
    t.same(memory.unknown, [])
    for (const what of ['weights', 'gradients', 'first and second moments', 'KV cache', 'activations'])
      t.ok(
        memory.rows.some(row => row.what.startsWith(what) && row.bytes > 0),
        what,
      )
    const edge = (set: string) =>
      planMemory(planOf(set)).rows.find(({ part }) => part.startsWith('frames.frames'))?.bytes
    t.equal(edge('frames=16'), 2 * (edge('frames=8') ?? 0))
    t.ok(planMemory(planOf('group=64')).bytes > memory.bytes)
    const knobs = memory.rows.flatMap(({ knob }) => knob ?? [])
    t.ok(knobs.includes('group'), 'the param that a field is')
    t.ok(knobs.includes('nodes.prompts.from.frames.capacity.items'), 'or its path')
  },
)

t.test('what takes turns counts once, and the host has a sum of its own', async t => {
  const source = operator({
    summary: 'Gives tensors.',
    config: {},
    inputs: {},
    outputs: { tensors: { kind: 'tensor', dtype: 'f32', shape: [1000] } },
    memory: () => [{ what: 'a file', bytes: 7, device: 'host' }],
    run: () => ({}),
  })
  const worker = operator({
    summary: 'Works on tensors.',
    config: {
      bytes: { type: 'integer', description: 'What it takes.' },
      kept: { type: 'integer', default: 0, description: 'What it keeps.' },
    },
    inputs: {
      tensors: { kind: 'tensor', dtype: 'f32', shape: ['N'] },
      back: { kind: 'tensor', optional: true },
    },
    outputs: { tensors: { kind: 'tensor', dtype: 'f32', shape: ['N'], optional: true } },
    memory: ({ bytes, kept }, { dims }) => [
      { what: `work on ${dims.N}`, bytes, knob: 'bytes' },
      ...(kept > 0 ? [{ what: 'kept work', bytes: kept, kept: true }] : []),
    ],
    run: () => ({}),
  })
  const back = { edge: 'second.tensors', keep: 'latest', initial: 0 }
  const planWith = (maxLag: number | undefined, kept = 0) => {
    const nodes = {
      source: { operator: 'source' },
      first: {
        operator: 'worker',
        config: { bytes: 500 },
        from: { tensors: 'source.tensors', back: maxLag === undefined ? back : { ...back, maxLag } },
      },
      second: { operator: 'worker', config: { bytes: 900, kept }, from: { tensors: 'first.tensors' } },
    }
    const text = JSON.stringify({ version: 1, summary: 'S.', nodes })
    return planMemory(
      loadGraph('g.json', { operators: { source, worker }, resources: {} }, { read: () => text }),
    )
  }
  const free = planWith(undefined)
  t.match(free.rows, [
    { part: 'source', device: 'host' },
    { part: 'first', what: 'work on 1000' },
    { part: 'second' },
    { part: 'source.tensors → first.tensors', bytes: 5 * 4000 },
    {},
    { part: 'first.tensors → second.tensors', bytes: 5 * 4000 },
  ])
  t.equal(free.hostBytes, 7)
  t.equal(free.bytes, 500 + 900 + 5 * 4000 + 2 * 4000 + 5 * 4000, 'everything at once')
  const strict = planWith(0)
  t.same(strict.turns, [['first', 'second']])
  t.equal(strict.bytes, 900 + 5 * 4000 + 4000 + 2 * 4000, 'one of the two, and one item on the way')
  t.equal(planWith(0, 70).bytes, strict.bytes + 70, 'what one keeps is there in the turn of the other')
  t.ok(planWith(2).bytes > strict.bytes)
})

t.test('a model that cannot be read leaves its parts unknown', async t => {
  const memory = planMemory(loadGraph(grpo, registry, { set: ['model=no-such-folder'] }))
  const parts = memory.unknown.map(({ part }) => part)
  for (const part of ['policy', 'optimizer', 'frames.frames → prompts.frames'])
    t.ok(parts.includes(part), part)
})

t.test('bytes are read and shown as people write them', async t => {
  const read = ['8GB', '8GiB', '512 MiB', '1.5kb', '77', 'x', '8 apples', ''].map(readBytes)
  t.same(read, [8e9, 8 * 1024 ** 3, 512 * 1024 ** 2, 1500, 77, undefined, undefined, undefined])
  const shown = [0, 999, 1000, 53_747_712, 119_734_272, 8e9].map(showBytes)
  t.same(shown, ['0 B', '999 B', '1 kB', '53.7 MB', '120 MB', '8 GB'])
})

t.test('programs and GitHub read problems and warnings too', async t => {
  const text = JSON.stringify({
    version: 1,
    summary: 'S.',
    nodes: {
      film: { operator: 'film', config: { count: 4, most: 3 } },
      look: { operator: 'look', from: { frames: 'film.frames' } },
    },
  })
  const { problems, warnings } = checkGraph('g.json', broken, { read: () => text })
  const [problem, ...rest] = JSON.parse(report(problems, warnings, 'json'))
  t.match(problem, {
    level: 'error',
    code: 'shape-mismatch',
    file: 'g.json',
    line: 1,
    path: 'nodes.look.from.frames',
    pointer: '/nodes/look/from/frames',
    from: { end: 'film.frames', type: 'frames f32[F=4, 3, S, S]' },
    to: { end: 'look.frames', type: 'frames f32[8, 3, S, S]' },
    remedy: /./,
  })
  t.same(
    rest.map(({ level, code }: { level: string; code: string }) => [level, code]),
    [['warning', 'unread-config']],
  )
  const lines = report(problems, warnings, 'github').split('\n')
  t.match(
    lines[0],
    /^::error file=g\.json,line=1,col=\d+,title=flow shape-mismatch::nodes\.look\.from\.frames: must have .*%0Afrom film/,
  )
  t.match(lines[1], /^::warning file=g\.json/)
  t.equal(lines.length, 2)
})

t.test('a batch is no fault in a cycle that other paths bypass, if no item is dropped on them', async t => {
  const back = { edge: 'pile.numbers', keep: 'latest', initial: 0, maxLag: 0 }
  const nodes = {
    count: { operator: 'range', config: { count: 3 } },
    gated: { operator: 'gated', from: { numbers: 'count.numbers', back } },
    pile: { operator: 'pile', from: { numbers: 'gated.numbers' } },
  }
  const found = (changed: object, registry = broken) =>
    problemsOf(JSON.stringify({ version: 1, summary: 'S.', nodes: { ...nodes, ...changed } }), registry)
  t.match(found({}), [/must be fed 2 items/])
  t.same(
    found({
      gated: { operator: 'gated', from: { numbers: 'count.numbers', back: { ...back, maxLag: 1 } } },
    }),
    [],
  )
  const around = {
    gated: { ...nodes.gated, from: { numbers: 'count.numbers', back: { ...back, edge: 'end.items' } } },
    end: { operator: 'pass', from: { items: ['pile.numbers', 'gated.numbers'] } },
  }
  const { pass } = broken.operators
  const dropping = (drops: boolean) => ({
    ...broken,
    operators: { ...broken.operators, pass: { ...pass, drops } },
  })
  t.same(found(around, dropping(false)), [])
  const sifted = {
    some: { operator: 'pass', from: { items: 'gated.numbers' } },
    end: { operator: 'pass', from: { items: ['pile.numbers', 'some.items'] } },
  }
  t.same(found({ ...around, ...sifted }, dropping(false)), [])
  t.match(found({ ...around, ...sifted }, dropping(true)), [/must be fed 2 items/])
})

t.test('an evaluation counts its model, its frames and the answers of a batch', async t => {
  const file = join(repository, 'graphs/eval/lvbench.json')
  const data = join(repository, 'graphs/demo/quiz')
  const memoryOf = (...set: string[]) =>
    planMemory(loadGraph(file, registry, { set: [`data=${data}`, `model=${tiny}`, ...set] }))
  const memory = memoryOf()
  t.same(memory.unknown, [])
  for (const [part, what] of [
    ['evaluation/model', 'weights'],
    ['evaluation/watch', 'pixels of clips'],
    ['evaluation/encode', 'activations of the vision tower'],
    ['evaluation/answers', 'KV cache'],
  ])
    t.ok(
      memory.rows.some(row => row.part === part && row.what.startsWith(what) && row.bytes > 0),
      `${part}: ${what}`,
    )
  t.ok(memoryOf('batch=16').bytes > memory.bytes)
  t.ok(memoryOf('maxNewTokens=8').bytes < memory.bytes)
  t.equal(memoryOf('answers=oracle').bytes, 0, 'a rehearsal needs no GPU')
})

t.test('what a node and a resource of the same name take is lowered by settings of their own', t => {
  const big = resource({
    summary: 'Weighs much.',
    config: { gigabytes: { type: 'integer', description: 'Its weight.' } },
    kind: 'model',
    memory: ({ gigabytes }) => [{ what: 'weights', bytes: gigabytes, knob: 'gigabytes' }],
    open: async () => {},
    close: () => {},
  })
  const uses = operator({
    summary: 'Uses a model.',
    config: {
      model: { type: 'string', resource: 'model', description: 'The model.' },
      rows: { type: 'integer', description: 'Rows.' },
    },
    inputs: {},
    outputs: {},
    memory: ({ rows }) => [{ what: 'activations', bytes: rows, knob: 'rows' }],
    run: () => ({}),
  })
  const graph = {
    version: 1,
    summary: 'S.',
    resources: { same: { resource: 'big', config: { gigabytes: 5 } } },
    nodes: { same: { operator: 'uses', config: { model: 'same', rows: 2 } } },
  }
  const registry = { operators: { uses }, resources: { big } }
  const { rows } = planMemory(loadGraph('g.json', registry, { read: () => JSON.stringify(graph) }))
  t.same(
    rows.map(({ knob }) => knob),
    ['resources.same.config.gigabytes', 'nodes.same.config.rows'],
  )
  t.end()
})
