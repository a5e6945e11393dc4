import type { Checkpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { type FamilyConfig, familyConfig } from './family.ts'
import { float16Value } from './float16.ts'
import * as op from './operations.ts'
import { constant, type Matrix, Tape, variable } from './tape.ts'

/** A TinyLLaVA-Video model as its specification reads: one frame, one group, one row and one head after another. */
export interface Model {
  readonly config: FamilyConfig
  readonly weights: ReadonlyMap<string, Matrix>
}

/** Connector and language model. */
export const usuallyTrained = (name: string): boolean => !name.startsWith('vision_tower.')

/** Reads a checkpoint's weights; those that are to be trained get gradients. */
export async function readModel(
  checkpoint: Checkpoint,
  trained: (name: string) => boolean = () => false,
): Promise<Model> {
  const weights = new Map<string, Matrix>()
  for (const [name, { shape }] of checkpoint.tensors) {
    const values: number[] = []
    for await (const chunk of checkpoint.read(name)) for (const value of chunk) values.push(value)
    const rows = shape.length > 1 ? shape[0] : 1
    const make = trained(name) ? variable : constant
    weights.set(name, make([rows, values.length / rows], Float64Array.from(values)))
  }
  return { config: familyConfig(checkpoint.config), weights }
}

/** Features (frames · tokens, vision hidden) of normalised pixels (frames, channels, size, size). */
export function visionFeatures(model: Model, pixels: Float64Array, tape = new Tape()): Matrix {
  const { vision } = model.config
  const frameSize = vision.channels * vision.imageSize ** 2
  const frames = Array.from({ length: pixels.length / frameSize }, (_, i) => {
    const tokens = visionTower(tape, model, pixels.subarray(i * frameSize, (i + 1) * frameSize))
    return vision.select === 'patch' ? op.sliceRows(tape, tokens, 1, vision.tokens - 1) : tokens
  })
  return op.concatRows(tape, frames)
}

/** The chosen hidden state (tokens, vision hidden) of one frame. */
function visionTower(tape: Tape, { config, weights }: Model, frame: Float64Array): Matrix {
  const { vision } = config
  const tower = scope(tape, weights, 'vision_tower._vision_tower.vision_model.')
  const gelu = vision.activation === 'gelu' ? op.geluErf : op.geluTanh
  const patches = patchesOf(frame, vision.channels, vision.imageSize, vision.patchSize)
  let h = tower.linear(patches, 'embeddings.patch_embedding', true)
  h = op.add(tape, h, tower.weight('embeddings.position_embedding.weight'))
  for (let i = 0; i < vision.featureLayer; i++) {
    const block = scope(tape, weights, `vision_tower._vision_tower.vision_model.encoder.layers.${i}.`)
    const x = block.layerNorm(h, 'layer_norm1', vision.normEpsilon)
    const [q, k, v] = ['q', 'k', 'v'].map(part => block.linear(x, `self_attn.${part}_proj`, true))
    const attended = attention(tape, q, k, v, vision.heads, vision.heads, () => true)
    h = op.add(tape, h, block.linear(attended, 'self_attn.out_proj', true))
    const inner = block.linear(block.layerNorm(h, 'layer_norm2', vision.normEpsilon), 'mlp.fc1', true)
    h = op.add(tape, h, block.linear(gelu(tape, inner), 'mlp.fc2', true))
  }
  return h
}

/** Non-overlapping squares, row by row, each as its channels' pixel rows; what fills no whole square is left out. */
function patchesOf(frame: Float64Array, channels: number, size: number, patch: number): Matrix {
  const across = Math.floor(size / patch)
  const values: number[] = []
  for (let row = 0; row < across; row++)
    for (let column = 0; column < across; column++)
      for (let channel = 0; channel < channels; channel++)
        for (let y = row * patch; y < (row + 1) * patch; y++)
          for (let x = column * patch; x < (column + 1) * patch; x++)
            values.push(frame[(channel * size + y) * size + x])
  return constant([across * across, channels * patch * patch], Float64Array.from(values))
}

/** The clip's visual tokens (queries, hidden): each group of consecutive features is read by the same latents. */
export function connector(tape: Tape, { config, weights }: Model, features: Matrix): Matrix {
  const { groups: count, positionsAt } = config.connector
  const part = scope(tape, weights, 'connector._connector.')
  const placed = (x: Matrix): Matrix => op.add(tape, x, positionalTable(x.shape[0], x.shape[1]))
  const plain = part.linear(features, 'linear', true)
  const projected = positionsAt === 'features' ? placed(plain) : plain
  const tokens = projected.shape[0]
  const groups: Matrix[] = []
  let start = 0
  for (let i = 0; i < count; i++) {
    const length = Math.floor(tokens / count) + (i < tokens % count ? 1 : 0)
    groups.push(resample(tape, { config, weights }, op.sliceRows(tape, projected, start, length)))
    start += length
  }
  const all = op.concatRows(tape, groups)
  return positionsAt === 'tokens' ? placed(all) : all
}

function resample(tape: Tape, { config, weights }: Model, media: Matrix): Matrix {
  const { layers, heads, headSize, normEpsilon } = config.connector
  const inner = heads * headSize
  const whole = scope(tape, weights, 'connector._connector.')
  let latents = whole.weight('latents')
  for (let i = 0; i < layers; i++) {
    const read = scope(tape, weights, `connector._connector.layers.${i}.0.`)
    const z = read.layerNorm(latents, 'norm_latents', normEpsilon)
    const seen = op.concatRows(tape, [read.layerNorm(media, 'norm_media', normEpsilon), z])
    const both = read.linear(seen, 'to_kv', false)
    const [k, v] = [op.sliceColumns(tape, both, 0, inner), op.sliceColumns(tape, both, inner, inner)]
    const attended = attention(tape, read.linear(z, 'to_q', false), k, v, heads, heads, () => true)
    latents = op.add(tape, read.linear(attended, 'to_out', false), latents)
    const think = scope(tape, weights, `connector._connector.layers.${i}.1.`)
    const wide = op.geluErf(tape, think.linear(think.layerNorm(latents, '0', normEpsilon), '1', false))
    latents = op.add(tape, think.linear(wide, '3', false), latents)
  }
  return whole.layerNorm(latents, 'norm', normEpsilon)
}

/** Sines and cosines (positions, width), computed in float32 and stored as float16, as the published module does. */
export function positionalTable(positions: number, width: number): Matrix {
  const { fround } = Math
  const rate = fround(-Math.log(10000) / width)
  const values = Float64Array.from({ length: positions * width }, (_, i) => {
    const [position, column] = [Math.floor(i / width), i % width]
    const frequency = fround(Math.exp(fround((column - (column % 2)) * rate)))
    const angle = fround(position * frequency)
    return float16Value(fround(column % 2 ? Math.cos(angle) : Math.sin(angle)))
  })
  return constant([positions, width], values)
}

/** Embeddings of ids, with the visual tokens in the place of -200; what is beyond the longest prompt is cut. */
export function splice(
  tape: Tape,
  { config, weights }: Model,
  ids: readonly number[],
  visual: Matrix | null,
): Matrix {
  const table = weight(weights, 'language_model.model.embed_tokens.weight')
  const slot = ids.indexOf(-200)
  if (slot < 0 || !visual) return cut(tape, op.gatherRows(tape, table, ids), config.maxLength)
  const [before, after] = [ids.slice(0, slot), ids.slice(slot + 1)]
  const parts = [op.gatherRows(tape, table, before), visual, op.gatherRows(tape, table, after)]
  return cut(tape, op.concatRows(tape, parts), config.maxLength)
}

function cut(tape: Tape, x: Matrix, length: number): Matrix {
  return x.shape[0] > length ? op.sliceRows(tape, x, 0, length) : x
}

/** Embeddings followed by those of `ids`, which nothing cuts. */
export function extend(tape: Tape, { weights }: Model, prompt: Matrix, ids: readonly number[]): Matrix {
  const table = weight(weights, 'language_model.model.embed_tokens.weight')
  return op.concatRows(tape, [prompt, op.gatherRows(tape, table, ids)])
}

/** States (rows, hidden) after the final norm; row i is at position i and sees the rows up to itself. */
export function languageModel(tape: Tape, { config, weights }: Model, embeddings: Matrix): Matrix {
  const { layers, heads, keyValueHeads, headSize, ropeTheta, normEpsilon } = config.language
  const positions = Array.from({ length: embeddings.shape[0] }, (_, i) => i)
  const rotate = (x: Matrix, count: number): Matrix =>
    op.concatColumns(
      tape,
      Array.from({ length: count }, (_, head) =>
        op.rope(tape, op.sliceColumns(tape, x, head * headSize, headSize), positions, ropeTheta),
      ),
    )
  let h = embeddings
  for (let i = 0; i < layers; i++) {
    const block = scope(tape, weights, `language_model.model.layers.${i}.`)
    const x = op.rmsNorm(tape, h, block.weight('input_layernorm.weight'), normEpsilon)
    const [q, k, v] = ['q', 'k', 'v'].map(part => block.linear(x, `self_attn.${part}_proj`, true))
    const [turned, keys] = [rotate(q, heads), rotate(k, keyValueHeads)]
    const attended = attention(tape, turned, keys, v, heads, keyValueHeads, (row, column) => column <= row)
    h = op.add(tape, h, block.linear(attended, 'self_attn.o_proj', false))
    const y = op.rmsNorm(tape, h, block.weight('post_attention_layernorm.weight'), normEpsilon)
    const gate = op.silu(tape, block.linear(y, 'mlp.gate_proj', false))
    const wide = op.multiply(tape, gate, block.linear(y, 'mlp.up_proj', false))
    h = op.add(tape, h, block.linear(wide, 'mlp.down_proj', false))
  }
  return op.rmsNorm(tape, h, weight(weights, 'language_model.model.norm.weight'), normEpsilon)
}

export function logits(tape: Tape, { config, weights }: Model, hidden: Matrix): Matrix {
  const name = config.language.tied ? 'model.embed_tokens' : 'lm_head'
  return op.matmul(tape, hidden, weight(weights, `language_model.${name}.weight`), 'nt')
}

/** Softmax(Q·Kᵀ/√size)·V head by head; consecutive query heads share a key and value head. */
function attention(
  tape: Tape,
  q: Matrix,
  k: Matrix,
  v: Matrix,
  heads: number,
  keyValueHeads: number,
  sees: (row: number, column: number) => boolean,
): Matrix {
  const size = q.shape[1] / heads
  const outputs = Array.from({ length: heads }, (_, head) => {
    const shared = Math.floor(head / (heads / keyValueHeads))
    const queries = op.scale(tape, op.sliceColumns(tape, q, head * size, size), size ** -0.5)
    const scores = op.matmul(tape, queries, op.sliceColumns(tape, k, shared * size, size), 'nt')
    const probabilities = op.softmax(tape, scores, sees)
    return op.matmul(tape, probabilities, op.sliceColumns(tape, v, shared * size, size), 'nn')
  })
  return op.concatColumns(tape, outputs)
}

/** Layers by their names under a prefix. */
function scope(tape: Tape, weights: ReadonlyMap<string, Matrix>, prefix: string) {
  const find = (name: string): Matrix => weight(weights, prefix + name)
  return {
    weight: find,
    linear(x: Matrix, name: string, bias: boolean): Matrix {
      const y = op.matmul(tape, x, find(`${name}.weight`), 'nt')
      return bias ? op.addBias(tape, y, find(`${name}.bias`)) : y
    },
    layerNorm: (x: Matrix, name: string, epsilon: number): Matrix =>
      op.layerNorm(tape, x, find(`${name}.weight`), find(`${name}.bias`), epsilon),
  }
}

function weight(weights: ReadonlyMap<string, Matrix>, name: string): Matrix {
  const found = weights.get(name)
  if (!found) throw new Error(`the checkpoint has no tensor ${name}`)
  return found
}
