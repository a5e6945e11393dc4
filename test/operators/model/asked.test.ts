// How a model is asked: what a training leaves in its checkpoint, and what another graph does otherwise.
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { registry } from '../../../engine/cli/registry.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { partsOf } from '../../../engine/graph/plan.ts'
import { askedIn, askedName, askedOtherwise, readAsked, writeAsked } from '../../../operators/model/asked.ts'
import { thinkThenAnswer } from '../../../operators/text/prompt.ts'
import { repository } from '../../fixtures.ts'

const partsIn = (graph: string, set: readonly string[] = []) =>
  partsOf(loadGraph(join(repository, 'graphs', graph), registry, { set }))

/** Of each graph that trains or asks a model, the resource that holds it, and what must be set. */
const graphs: readonly (readonly [graph: string, model: string, set?: readonly string[]])[] = [
  ['grpo.json', 'policy'],
  ['presets/published.json', 'policy'],
  ['presets/evaluated.json', 'policy'],
  ['controls/random-reward.json', 'policy'],
  ['infer.json', 'model', ['video=clip.mp4', 'question=Which?']],
  ['demo/ask.json', 'model'],
  ['demo/grpo.json', 'policy'],
  ...readdirSync(join(repository, 'graphs/examples'))
    .filter(name => name.endsWith('.json') && name !== 'pictures.json')
    .map(name => [`examples/${name}`, isGrpo(name) ? 'policy' : 'model', setFor(name)] as const),
]

function isGrpo(name: string): boolean {
  return ['curriculum.json', 'dapo-refill.json', 'evaluated.json', 'two-rewards.json'].includes(name)
}

function setFor(name: string): readonly string[] {
  return name === 'two-rewards.json' ? ['url=http://localhost'] : []
}

t.test('all graphs put the same words after a question', async t => {
  for (const [graph, model, set] of graphs) {
    if (graph === 'examples/distillation.json') continue // its student only learns
    t.same(askedIn(partsIn(graph, set), model).words, [` ${thinkThenAnswer}`], graph)
  }
})

t.test('a graph that asks a model in several places asks it in one way', async t => {
  const ways = ['frames=4', 'maxNewTokens=96']
  for (const graph of ['curriculum.json', 'evaluated.json', 'rejection-sampling.json', 'dpo.json']) {
    const { frames, tokens } = askedIn(partsIn(`examples/${graph}`, ways), isGrpo(graph) ? 'policy' : 'model')
    t.same([frames, tokens], [[4], [96]], graph)
  }
  const held = askedIn(partsIn('presets/evaluated.json', ways), 'policy')
  t.same([held.frames, held.tokens], [[4], [96]], 'held-out questions')
})

t.test(
  'a graph that asks a model otherwise than its training is told of, with the node and the field',
  async t => {
    const folder = t.testdir()
    const trained = askedIn(partsIn('grpo.json', ['frames=4', 'maxNewTokens=600']), 'policy')
    writeAsked(folder, trained)
    t.same(readAsked(folder), { frames: [4], words: [` ${thinkThenAnswer}`], tokens: [600] })
    const asked = ['video=clip.mp4', 'question=Which?']
    const said = askedOtherwise(trained, partsIn('infer.json', [...asked, 'joint=\n']), 'model')
    t.equal(
      said,
      `it is asked otherwise than in its training (as its asked.json says): frames of a clip 16, set by frames.count, where training had 4 (--set frames=4); words after a question ${JSON.stringify(`\n${thinkThenAnswer}`)}, set by prompt.joint and instruction, where training had ${JSON.stringify(` ${thinkThenAnswer}`)}; most tokens of an answer 512, set by answer.maxNewTokens, where training had 600 (--set maxNewTokens=600)`,
    )
    const same = partsIn('infer.json', [...asked, 'frames=4', 'maxNewTokens=1000'])
    t.equal(askedOtherwise(trained, same, 'model'), undefined, 'more tokens change no answer that ends')
    const evaluation = partsIn('eval/own.json', ['data=q.csv', 'frameCounts=[4,16]'])
    t.match(
      askedOtherwise(trained, evaluation, 'evaluation/model'),
      /frames of a clip 16, set by evaluation\/watch\.counts, where training had 4 \(--set frameCounts=\[4\]\)$/,
    )
    const learned = askedIn(partsIn('coldstart.json'), 'model')
    t.same(learned, { frames: [8], words: [], tokens: [] }, 'conversations have their own words')
  },
)

t.test('a folder that says nothing, and one that says something else', async t => {
  const folder = t.testdir()
  t.equal(readAsked(folder), undefined)
  writeFileSync(join(folder, askedName), '{"frames": 8}')
  t.throws(() => readAsked(folder), { code: 'bad-config', message: /asked\.json: must hold lists/ })
})
