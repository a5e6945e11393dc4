import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph, loadGraph } from '../../engine/graph/check.ts'
import { advantagesOf, type EstimatorOptions } from '../../operators/grpo/estimators.ts'
import { grpoLoss, type LossOptions } from '../../operators/grpo/loss.ts'
import { operators, resources } from '../../operators/index.ts'
import { fixture, repository } from '../fixtures.ts'

interface Golden {
  inputs: Record<'pi' | 'old' | 'ref' | 'mask', number[][]> & { rewards: number[] }
  advantages: Record<string, number[]>
  loss: Record<string, { value: number; grad_pi: number[][] }>
}
// The cast states the layout of a file of ours.
const golden = JSON.parse(readFileSync(fixture('losses/losses.json'), 'utf8')) as Golden
const { pi, old, ref, mask, rewards } = golden.inputs
const halves = <T>(values: readonly T[]) => [values.slice(0, 4), values.slice(4)]
const lengths = halves(mask.map(row => row.reduce((sum, m) => sum + m, 0)))

/** What a preset makes of the rewards and log-probabilities of the reference. */
function numbersOf(
  preset: string,
  set: readonly string[] = [],
  changes: { old?: null; advantages?: number[] } = {},
) {
  const file = join(repository, 'graphs/presets', `${preset}.json`)
  const { nodes } = loadGraph(file, { operators, resources }, { set })
  const configOf = (name: string) => nodes.find(node => node.name === name)?.config
  // The casts hold because the graph was checked: each config is that of its operator.
  const estimator = configOf('advantages') as unknown as EstimatorOptions
  const options = configOf('update') as unknown as LossOptions
  const groups = halves(rewards).map((group, g) => ({ rewards: group, lengths: lengths[g] }))
  const advantages = changes.advantages ?? advantagesOf(groups, estimator).flat()
  const batch = { policy: pi, old, reference: options.beta > 0 ? ref : null, mask, ...changes, advantages }
  const { loss, dLogProbs } = grpoLoss(batch, options)
  return { advantages, numbers: [loss, ...dLogProbs.flatMap(row => [...row])] }
}

const goldenNumbers = ({ value, grad_pi: rows }: Golden['loss'][string]) => [value, ...rows.flat()]

const worst = (found: readonly number[], expected: readonly number[]) =>
  Math.max(...expected.map((value, i) => Math.abs(value - found[i])))

const trained: [preset: string, loss: string, set: string[], changes?: { old: null }][] = [
  ['published', 'ref_tinyllava(mu=1,beta=0.01,no noise)', [], { old: null }],
  ['trl-dapo', 'dapo', []],
  ['dapo', 'dapo', []],
  ['gspo', 'gspo', []],
  ['trl-grpo', 'grpo', ['beta=0.04', 'clipHigh=0.28']],
  ['ms-swift-grpo', 'grpo', ['clipHigh=0.28']],
  ['verl-grpo', 'dual_clip_c1.2_token-mean', ['clipHigh=0.28', 'dualClip=1.2']],
  ['dr-grpo', 'dr_grpo', ['clipHigh=0.28', 'length=8']],
]
for (const [preset, name, set, changes] of trained) {
  t.test(`${preset}${set.map(one => ` ${one}`).join('')} trains with the loss ${name}`, async t => {
    const sets = set.map(one => `nodes.update.config.${one}`)
    const advantages = golden.advantages['group_norm_eps1e-4']
    const { numbers } = numbersOf(preset, sets, { ...changes, advantages })
    t.ok(worst(numbers, goldenNumbers(golden.loss[name])) < 1e-12)
  })
}

const estimators: [preset: string, name: string][] = [
  ['published', 'group_norm_eps1e-4'],
  ['trl-grpo', 'group_norm_eps1e-4'],
  ['ms-swift-grpo', 'group_norm_eps1e-4'],
  ['video-r1', 'group_norm_eps1e-4'],
  ['verl-grpo', 'group_norm_eps1e-6'],
  ['dr-grpo', 'dr_grpo'],
]
for (const [preset, name] of estimators) {
  t.test(`${preset} has the advantages ${name}`, async t => {
    t.ok(worst(numbersOf(preset).advantages, golden.advantages[name]) < 1e-14)
  })
}

t.test('presets that say the same by other constants give the same numbers', async t => {
  const same = (a: number[], b: number[]) => t.ok(worst(a, b) < 1e-14, `${worst(a, b)}`)
  const update = 'nodes.update.config'
  // Cuts of the KL and of ratios that are out of reach.
  same(numbersOf('trl-grpo', [`${update}.beta=0.04`]).numbers, numbersOf('ms-swift-grpo').numbers)
  same(numbersOf('published', [`${update}.beta=0.04`]).numbers, numbersOf('video-r1').numbers)
  const verl = [`${update}.aggregation=sequence-mean`, 'nodes.advantages.config.epsilon=0.0001']
  same(numbersOf('trl-grpo').numbers, numbersOf('verl-grpo', verl).numbers)
})

t.test('presets that differ give other numbers', async t => {
  const names = [
    'published',
    'trl-grpo',
    'trl-dapo',
    'gspo',
    'verl-grpo',
    'ms-swift-grpo',
    'dr-grpo',
    'video-r1',
  ]
  const losses = names.map(name => numbersOf(name).numbers[0].toFixed(6))
  t.equal(new Set(losses).size, names.length, losses.join(' '))
})

t.test('every graph that trains keeps what it learns', t => {
  const graphs = join(repository, 'graphs')
  const files = readdirSync(graphs, { recursive: true, encoding: 'utf8' })
  const trained: string[] = []
  for (const name of files.filter(file => file.endsWith('.json') && !file.startsWith('parts'))) {
    const { plan } = checkGraph(join(graphs, name), { operators, resources }, { set: [] })
    if (!plan?.resources.some(({ resourceName }) => resourceName === 'adamw')) continue
    trained.push(name)
    t.ok(plan.checkpoint, name)
  }
  t.ok(trained.includes('presets/published.json') && trained.length > 15, trained.join(', '))
  t.end()
})
