import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadGraph } from '../../engine/graph/check.ts'
import { operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import { promptStates } from '../../kernels/networks/video-model.ts'
import { clusteredMean, type Estimate } from '../../operators/eval/results/statistics.ts'
import { operators, resources } from '../../operators/index.ts'
import type { Group } from '../../operators/kinds.ts'
import type { LoadedModel } from '../../operators/model/checkpoint/load-model.ts'
import { repository } from '../fixtures.ts'

export interface RoundingOptions {
  folder: string
  /** Questions that the model is asked, each about a clip of its own. */
  questions: number
}

/** What a model answered: by question, 1 for a right answer, and the distance of its logits from those of the floats. */
interface Answers {
  right: Map<string, number>
  distances: Distance[]
  /** Of the model of floats, with which the others are compared. */
  isPlain: boolean
}

interface Distance {
  /** Root of the mean square of the difference of logits, without their mean, and the most of any. */
  root: number
  most: number
  /** Kullback-Leibler divergence from the floats' distribution, nats. */
  divergence: number
  /** Whether the likeliest token is the same. */
  same: boolean
}

const variants = [
  ['stored', 128],
  ['int8', 128],
  ['int4', 128],
  ['int4', 32],
] as const

/**
 * Asks the embedded model of the demonstration questions that it was not trained on, with its weights as floats and as
 * integers: right answers and the differences from those of the floats, question by question, with 95 % intervals; and how far
 * its logits are from theirs at every token of what the floats wrote to the first questions. Yields lines of a table.
 */
export async function* rounding({ folder, questions }: RoundingOptions): AsyncGenerator<string> {
  const data = join(folder, `flow-rounding-${questions}`)
  const made = join(data, 'test.jsonl')
  if (!existsSync(made))
    await run('questions.json', [`out=${data}`, 'questions=1', `tests=${questions}`], join(data, 'made'))
  const floats = new Map<string, { ids: readonly number[]; logits: Float32Array }>()
  yield '| weights | right answers | difference | RMS of logits | largest | divergence, nats a token | likeliest token is the same |'
  yield '| --- | --- | --- | --- | --- | --- | --- |'
  let plain: Answers | undefined
  for (const [weights, groupSize] of variants) {
    const answers: Answers = { right: new Map(), distances: [], isPlain: plain === undefined }
    const config = `resources.model.config.groupSize=${groupSize}`
    const set = [`data=${data}`, `resources.model.config.weights=${weights}`, config]
    const directory = join(data, `${weights}-${groupSize}-${Date.now()}`)
    await run('ask.json', set, directory, lookOf(answers, floats))
    plain ??= answers
    yield `| ${weights === 'stored' ? weights : `${weights}, groups of ${groupSize}`} | ${line(answers, plain)} |`
  }
}

/** Questions whose logits are compared. */
const looked = 50

/** One row after the name. */
function line({ right, distances }: Answers, plain: Answers): string {
  const observed = [...right].map(([cluster, value]) => ({ value, cluster, stratum: '' }))
  const share = clusteredMean(observed, 'share')
  if (distances.length === 0) return `${percents(share)} | | | | |`
  const changed = observed.map(one => ({
    ...one,
    value: one.value - (plain.right.get(one.cluster) ?? Number.NaN),
  }))
  const difference = clusteredMean(changed, 'difference')
  const mean = (of: (one: Distance) => number) =>
    distances.reduce((sum, one) => sum + of(one), 0) / distances.length
  const root = Math.sqrt(mean(({ root }) => root ** 2))
  const most = distances.reduce((most, one) => Math.max(most, one.most), 0)
  const same = (100 * mean(({ same }) => (same ? 1 : 0))).toFixed(2)
  return `${percents(share)} | ${percents(difference)} | ${root.toPrecision(2)} | ${most.toPrecision(2)} | ${mean(({ divergence }) => divergence).toExponential(1)} | ${same} % |`.slice(
    0,
    -2,
  )
}

function percents({ mean, low, high }: Estimate): string {
  const percent = (value: number | null) => (100 * (value ?? Number.NaN)).toFixed(1)
  return `${percent(mean)} % (${percent(low)} to ${percent(high)})`
}

/** Looks at the answers, and at the logits of the tokens that the floats wrote. */
const lookOf = (answers: Answers, floats: Map<string, { ids: readonly number[]; logits: Float32Array }>) =>
  operator({
    summary: 'Compares answers and logits with those of the model of floats.',
    config: { model: { type: 'string', resource: 'model', description: 'The model that answered.' } },
    inputs: { groups: 'group' },
    outputs: {},
    run: ({ groups }, { model: name }, context) => {
      const model = context.resource<LoadedModel>(name)
      const look = async ({ prompt, completions: [completion] }: Group, { key }: { key: string }) => {
        if (!completion) throw new Error(`bench rounding: ${key} has no completion`)
        answers.right.set(key, completion.rewards?.accuracy ?? 0)
        if (answers.right.size > looked) return undefined
        const earlier = floats.get(key)
        if (!earlier && !answers.isPlain) return undefined
        const { ids } = earlier ?? completion
        const sequence = { ids: [...prompt.ids, ...ids.slice(0, -1)], features: prompt.features }
        const { logits } = await promptStates(model, sequence)
        // The rows that predict these tokens are the last ones.
        const own = logits.slice(-ids.length * model.shape.language.vocabulary)
        if (earlier)
          answers.distances.push(...distancesOf(own, earlier.logits, model.shape.language.vocabulary))
        else if (answers.isPlain) floats.set(key, { ids, logits: own })
        return undefined
      }
      return { none: groups.pipe(context.each(look)) }
    },
  })

/** By row of logits. */
export function distancesOf(found: Float32Array, wanted: Float32Array, vocabulary: number): Distance[] {
  return Array.from({ length: found.length / vocabulary }, (_, row) => {
    const [a, b] = [found, wanted].map(all => all.subarray(row * vocabulary, (row + 1) * vocabulary))
    if (!a || !b) throw new Error('bench rounding: a row is missing')
    const differences = Float64Array.from(a, (value, i) => value - (b[i] ?? Number.NaN))
    const middle = differences.reduce((sum, value) => sum + value, 0) / vocabulary
    const squares = differences.reduce((sum, value) => sum + (value - middle) ** 2, 0)
    const [ours, theirs] = [a, b].map(logProbabilities)
    if (!ours || !theirs) throw new Error('bench rounding: a row is missing')
    return {
      root: Math.sqrt(squares / vocabulary),
      most: differences.reduce((most, value) => Math.max(most, Math.abs(value - middle)), 0),
      divergence: theirs.reduce(
        (sum, value, i) => sum + Math.exp(value) * (value - (ours[i] ?? Number.NaN)),
        0,
      ),
      same: likeliest(a) === likeliest(b),
    }
  })
}

function logProbabilities(logits: Float32Array): Float64Array {
  const most = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  const sum = logits.reduce((sum, value) => sum + Math.exp(value - most), 0)
  return Float64Array.from(logits, value => value - most - Math.log(sum))
}

const likeliest = (logits: Float32Array): number =>
  logits.reduce((best, value, i) => (value > (logits[best] ?? 0) ? i : best), 0)

/** Runs a graph of the demonstration, with something that looks at its rewarded answers. */
async function run(
  name: string,
  set: readonly string[],
  directory: string,
  look?: ReturnType<typeof lookOf>,
): Promise<void> {
  const path = join(repository, 'graphs/demo', name)
  const graph = JSON.parse(await readFile(path, 'utf8'))
  if (look)
    graph.nodes.look = {
      operator: 'bench.look',
      config: { model: 'model' },
      from: { groups: 'rewards.groups' },
    }
  const registry = { operators: { ...operators, ...(look && { 'bench.look': look }) }, resources }
  const plan = loadGraph(path, registry, { set, read: () => JSON.stringify(graph) })
  const { status, error } = await startRun(plan, { seed: 0, directory }).done
  if (status !== 'completed') throw error ?? new Error(`the run ended as ${status}`)
}
