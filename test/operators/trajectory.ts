import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type t from 'tap'
import { loadGraph } from '../../engine/graph/check.ts'
import { type Context, operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { operators, resources } from '../../operators/index.ts'
import { type Checkpoint, openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import type { LoadedModel } from '../../operators/model/checkpoint/load-model.ts'
import { relativeError } from '../golden/row.ts'
import type { Case } from '../oracle/cases.ts'
import { randomOf } from '../oracle/random.ts'
import { writeRandomCheckpoint } from '../oracle/random-checkpoint.ts'
import type { Rule, Trajectory } from '../oracle/trajectory.ts'

type Test = Pick<typeof t, 'ok' | 'equal' | 'comment'>

/** Small in every extent, with a remainder wherever there can be one. */
const sizes: Case = {
  name: 'trajectory',
  seed: 11,
  connector: 'groupresampler',
  frames: 2,
  group: 3,
  num_queries: 7,
  depth: 1,
  dtype: 'float32',
  shards: 1,
  layer: -2,
  select: 'patch',
  G: 4,
  T: 9,
  wd: 0,
  maxLength: 3072,
  endAfter: null,
  vision: {
    hidden_size: 14,
    intermediate_size: 19,
    num_hidden_layers: 3,
    num_attention_heads: 2,
    image_size: 15,
    patch_size: 5,
    layer_norm_eps: 1e-6,
    hidden_act: 'gelu_pytorch_tanh',
  },
  text: {
    hidden_size: 18,
    intermediate_size: 27,
    num_hidden_layers: 2,
    num_attention_heads: 3,
    num_key_value_heads: 1,
    head_dim: 6,
    vocab_size: 401,
    rope_theta: 1e6,
    tie_word_embeddings: true,
    rms_norm_eps: 1e-6,
    max_position_embeddings: 4096,
  },
}

export async function smallCheckpoint(folder: string): Promise<Checkpoint> {
  await writeRandomCheckpoint(folder, sizes)
  return openCheckpoint(folder)
}

/** Clips of 1 and 2 frames in turn, as float32 stores them, and lists of ids that mean nothing. */
export function material(seed: number) {
  const random = randomOf(seed)
  const pixels = 3 * sizes.vision.image_size ** 2
  return {
    random,
    clip: (frames: number) =>
      Float64Array.from({ length: frames * pixels }, () => Math.fround(2 * random.uniform() - 1)),
    ids: (count: number) => Array.from({ length: count }, () => Math.floor(random.uniform() * 390)),
  }
}

/** Frames on the GPU, freed by the caller. */
export function upload({ device, shape }: LoadedModel, frames: Float64Array): Required<Tensor> {
  const { channels, imageSize } = shape.vision
  const count = frames.length / (channels * imageSize ** 2)
  const extents = [count, channels, imageSize, imageSize]
  return device.tensor('pixels', extents, 'f32', Float32Array.from(frames))
}

/** A node that gives what `make` makes of the model, one item after another. */
export const sourceOf = <T>(
  kind: string,
  make: (context: Context, model: LoadedModel) => AsyncIterable<{ value: T; dispose: () => void }>,
) =>
  operator({
    summary: 'Gives what a test wants.',
    config: { model: { type: 'string', resource: 'model', description: 'The model.' } },
    inputs: {},
    outputs: { items: kind },
    run: (_inputs, { model }, context) => ({
      items: context.source<T>(async function* () {
        let i = 0
        for await (const item of make(context, context.resource<LoadedModel>(model)))
          yield { key: `item ${i++}`, ...item }
      }),
    }),
  })

/** A node that does something with each item. */
export const sinkOf = <T>(kind: string, look: (value: T, context: Context) => Promise<void>) =>
  operator({
    summary: 'Does what a test wants.',
    config: {},
    inputs: { items: kind },
    outputs: {},
    run: ({ items }, _config, context) => ({
      none: items.pipe(
        context.each(async (value: T) => {
          await look(value, context)
          return undefined
        }),
      ),
    }),
  })

/** The optimizer resource that follows a rule. */
export function optimizerOf({ lr, betas, eps, weight_decay, clip, warmupRatio, steps }: Rule) {
  const [beta1, beta2] = betas
  const moments = { beta1, beta2, epsilon: eps, clip }
  const rate = { learningRate: lr, schedule: 'cosine', warmupRatio, steps }
  return {
    resource: 'adamw',
    config: { model: 'policy', ...rate, ...moments, weightDecay: weight_decay, decayed: 'matrices' },
  }
}

export interface Graph {
  resources: object
  nodes: object
}

/** Runs a graph to its end: what it says of its updates, and the checkpoint of its policy. */
export async function follow(
  directory: string,
  graph: Graph,
  source: ReturnType<typeof sourceOf>,
  sink?: ReturnType<typeof sinkOf>,
) {
  const own = { 'test.source': source, ...(sink ? { 'test.sink': sink } : {}) }
  const registry = { operators: { ...operators, ...own }, resources }
  const whole = { version: 1, summary: 'A test.', checkpoint: { every: 0 }, ...graph }
  const plan = loadGraph('test.json', registry, { read: () => JSON.stringify(whole) })
  const { status, error, leaked } = await startRun(plan, { seed: 0, directory }).done
  if (status !== 'completed') throw error ?? new Error(`the run ended as ${status}`)
  const lines = readFileSync(join(directory, 'metrics.jsonl'), 'utf8').trim().split('\n')
  const [last = ''] = readdirSync(join(directory, 'checkpoints')).sort().reverse()
  return {
    leaked,
    metrics: lines.map(line => JSON.parse(line)) as Record<
      'loss' | 'grad_norm' | 'clip_ratio/region_mean',
      number
    >[], // what an update writes
    policy: await openCheckpoint(join(directory, 'checkpoints', last, 'policy')),
  }
}

/** float32 against float64; a gradient near zero may turn over, and AdamW gives it a step as long as any other. */
const bounds = { step: 1e-4, weight: 1e-3 }

/** Compares every step, and the weights after the last one: relative to the value, and to the largest of a weight. */
export async function agree(
  test: Test,
  { metrics, policy, leaked }: Awaited<ReturnType<typeof follow>>,
  wanted: Trajectory,
): Promise<void> {
  test.equal(leaked, 0, 'no memory is left')
  test.equal(metrics.length, wanted.losses.length, `${wanted.losses.length} updates`)
  const worst = { loss: 0, norm: 0, weight: 0 }
  for (const [i, { loss, grad_norm }] of metrics.entries()) {
    const [lossError, normError] = [
      Math.abs(loss / wanted.losses[i] - 1),
      Math.abs(grad_norm / wanted.gradientNorms[i] - 1),
    ]
    test.ok(lossError <= bounds.step, `update ${i + 1}: loss ${loss} is ${wanted.losses[i]}`)
    test.ok(
      normError <= bounds.step,
      `update ${i + 1}: gradient norm ${grad_norm} is ${wanted.gradientNorms[i]}`,
    )
    worst.loss = Math.max(worst.loss, lossError)
    worst.norm = Math.max(worst.norm, normError)
  }
  for (const [name, { data }] of wanted.weights) {
    // Adding the same to all keys of a row changes no probability: what AdamW makes of a gradient of 0 is noise.
    if (name.startsWith('vision_tower.') && name.endsWith('k_proj.bias')) continue
    const found: number[] = []
    for await (const piece of policy.read(name)) found.push(...piece)
    const error = relativeError(found, data)
    test.ok(error <= bounds.weight, `${name}: ${error.toExponential(1)}`)
    worst.weight = Math.max(worst.weight, error)
  }
  const shown = Object.entries(worst).map(([what, error]) => `${what} ${error.toExponential(1)}`)
  test.comment(`largest errors: ${shown.join(', ')}`)
}
