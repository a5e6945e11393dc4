import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MemoryUse, Sizes } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import { type NewAdapter, targetsAmong } from './adapter.ts'
import { parseModelConfig } from './config.ts'
import { expectedTensors } from './tensor-names.ts'

/** Bytes of a number on the GPU: weights, gradients, moments and activations are f32. */
const numberBytes = 4

/** Tokens of text in a prompt that estimates assume. */
const textTokens = 256

/**
 * Extents and parameter counts of a checkpoint folder, from its `config.json` alone, and of a new adapter on it. Throws
 * when it cannot be read.
 */
export function modelSizes(
  path: string,
  train: readonly string[],
  adapter?: Pick<NewAdapter, 'rank' | 'targets'>,
): Sizes {
  const file = join(resolvePath(path), 'config.json')
  const config = parseModelConfig(file, JSON.parse(readFileSync(file, 'utf8')), {
    eosId: 0,
    idOf: () => undefined,
  })
  const { vision, language, connector } = config
  const tensors = [...expectedTensors(config)].map(([name, shape]) => {
    return { name, count: shape.reduce((product, extent) => product * extent, 1) }
  })
  const countOf = (prefix: string) =>
    tensors.filter(({ name }) => name.startsWith(prefix)).reduce((sum, { count }) => sum + count, 0)
  const tensorShapes = new Map([...expectedTensors(config)].map(([name, shape]) => [name, { shape }]))
  const matrices = adapter
    ? targetsAmong({ tensors: tensorShapes }, adapter.targets).reduce((sum, name) => {
        const [outputs = 0, inputs = 0] = tensorShapes.get(name)?.shape ?? []
        return sum + adapter.rank * (outputs + inputs)
      }, 0)
    : 0
  return {
    imageSize: vision.imageSize,
    frameTokens: config.select === 'patch' ? vision.tokens - 1 : vision.tokens,
    visionHidden: vision.hidden,
    visionIntermediate: vision.intermediate,
    visionHeads: vision.heads,
    allFrameTokens: vision.tokens,
    visualTokens: connector.queries,
    hidden: language.hidden,
    intermediate: language.intermediate,
    layers: language.layers,
    heads: language.heads,
    keyValueWidth: language.keyValueHeads * language.headSize,
    vocabulary: language.vocabulary,
    parameters: countOf('') + matrices,
    trained: train.reduce(
      (sum, part) => sum + countOf(`${part === 'language' ? 'language_model' : part}.`),
      matrices,
    ),
  }
}

/** Weights, and gradients of the trained parts. */
export function weightsMemory(sizes: Sizes): MemoryUse[] {
  const trained = known(sizes, 'trained')
  return [
    { what: 'weights', bytes: known(sizes, 'parameters') * numberBytes },
    ...(trained > 0 ? [{ what: 'gradients', bytes: trained * numberBytes, knob: 'train' }] : []),
  ]
}

/** The vision tower over `frames` frames: features, attention scores and the feed-forward part of one block. */
export function visionMemory(sizes: Sizes, frames: number): MemoryUse[] {
  const tokens = known(sizes, 'allFrameTokens')
  const rows = frames * tokens * (5 * known(sizes, 'visionHidden') + known(sizes, 'visionIntermediate'))
  const scores = frames * known(sizes, 'visionHeads') * tokens ** 2
  return [{ what: 'activations of the vision tower', bytes: (rows + scores) * numberBytes }]
}

/** Writing `count` completions of `length` tokens: keys and values of the prompt and of what is written, and logits. */
export function generateMemory(sizes: Sizes, count: number, length: number): MemoryUse[] {
  const prompt = known(sizes, 'visualTokens') + textTokens
  const cached = 2 * known(sizes, 'layers') * known(sizes, 'keyValueWidth')
  const logits = 2 * count * known(sizes, 'vocabulary')
  const prefill = prompt * (4 * known(sizes, 'hidden') + 3 * known(sizes, 'intermediate'))
  return [
    { what: 'KV cache', bytes: cached * (prompt + count * length) * numberBytes, knob: 'maxNewTokens' },
    { what: 'logits and prefill', bytes: (logits + prefill) * numberBytes, knob: 'count' },
  ]
}

/** A forward that keeps what its backward needs, over a prompt with `count` completions of `length` tokens. */
export function trainMemory(sizes: Sizes, count: number, length: number): MemoryUse[] {
  const rows = known(sizes, 'visualTokens') + textTokens + count * length
  const width =
    8 * known(sizes, 'hidden') + 3 * known(sizes, 'intermediate') + 2 * known(sizes, 'keyValueWidth')
  const scores = known(sizes, 'heads') * rows * (known(sizes, 'visualTokens') + textTokens + length)
  // values and gradients; scores, probabilities and their gradient: above what two runs of the embedded model took
  const perLayer = 2 * rows * width + 3 * scores
  return [
    { what: 'activations', bytes: known(sizes, 'layers') * perLayer * numberBytes },
    {
      what: 'logits and their gradient',
      bytes: 4 * count * length * known(sizes, 'vocabulary') * numberBytes,
    },
  ]
}

/** Throws for a model that cannot be read: its estimate is then left out and named. */
function known(sizes: Sizes, name: string): number {
  const size = sizes[name]
  if (size === undefined) throw new Error('the model cannot be read yet')
  return size
}
