import { decodeStart } from '../../decode/embed-and-norm.ts'
import { headNorms } from '../../decode/head-norms.ts'
import type { Normed } from '../../decode/product.ts'
import { addProjection, gatedProjection, squareParts, stepLogits } from '../../decode/projections.ts'
import { attentionInputs } from '../../decode/query-key-value.ts'
import { blocksOf, squaresOf } from '../../decode/row-blocks.ts'
import { groupAttention, groupItems, groupLists } from '../../decode/shared-prompt-attention.ts'
import { keysAtOnce } from '../../decode/shared-prompt-parts.ts'
import type { Tensor } from '../../device/tensor.ts'
import { copy } from '../../elementwise/copy.ts'
import type { Parameter } from '../../layers/pass.ts'
import { derived } from '../../plan/derived.ts'
import type { Recording } from '../../plan/recording.ts'
import { gatherRows } from '../../rows/gather-rows.ts'
import { embeddingTable, lastNorm, layerWeight } from '../language-weights.ts'
import type { ParameterSet } from '../parameters.ts'
import type { LanguageModel, LanguageShape } from '../shape.ts'
import type { VideoModel } from '../video-model.ts'
import type { PromptRows, StepOptions, Steps } from './plain-steps.ts'
import { headMatrices, type LayerMatrices, layerMatrices, type ProductMatrices } from './step-matrices.ts'

/** Whether a step can be recorded as few dispatches: products in float16 on matrix units, sizes that blocks of 16 divide. */
export function canStepFast(recording: Recording, weights: ParameterSet, language: LanguageModel): boolean {
  const { hidden, heads, keyValueHeads, headSize, layers } = language
  const intermediate = layerWeight(weights, 0, 'mlp.gate_proj.weight').shape[0]
  return (
    language.fastSteps &&
    recording.target.units !== 'none' &&
    recording.precision === 'float16' &&
    layers > 0 &&
    heads / keyValueHeads <= 64 &&
    headSize <= 256 &&
    [hidden, heads * headSize, headSize, intermediate].every(size => size % 16 === 0)
  )
}

/**
 * Steps of few dispatches. The current segment gets the commands that prepare their tensors: room for keys and values, the
 * biases of a layer as one list, and the matrices in tiles of float16.
 */
export function fastSteps(
  recording: Recording,
  model: Pick<VideoModel, 'weights' | 'shape'>,
  options: StepOptions,
): Steps {
  const tensors = prepare(recording, model, options)
  const { groups, lists, starts, prefixes, ratio, width } = tensors
  return {
    promptStore(layer) {
      const tensor = prefixes[layer]
      return { keys: { tensor, at: 0 }, values: { tensor, at: (options.rows + keysAtOnce) * width }, width }
    },
    promptWrites(prompt, { length, next }) {
      const group = { ...groups()[prompt], length }
      const itemsBefore = groups()
        .slice(0, prompt)
        .flatMap(one => groupItems(one, 0, ratio).items)
      const firstItem = itemsBefore.length / 4
      const { items, places } = groupItems(group, firstItem, ratio)
      return [
        { into: starts, at: group.first, data: new Uint32Array(group.count).fill(next) },
        { into: lists.items, at: firstItem * 4, data: Uint32Array.from(items) },
        { into: lists.places, at: group.first * 3, data: Uint32Array.from(places) },
      ]
    },
    recordStep: () => recordStep(recording, model, options, tensors),
  }
}

/** The tensors and sizes that all steps of a recording share. */
interface StepTensors {
  /** Each prompt's sequences. */
  groups: () => readonly (PromptRows & { first: number; count: number })[]
  lists: ReturnType<typeof groupLists>
  /** u32 (sequences): the position after the prompt of each. */
  starts: Tensor
  /** Cosines and sines of the rotations, by position. */
  angles: Tensor
  /** By layer: keys, then values, of the prompts (2, rows, width). */
  prefixes: readonly Tensor[]
  /** By layer: keys, then values, of the completions (2, sequences, capacity, width). */
  caches: readonly Tensor[]
  /** By layer. */
  matrices: readonly LayerMatrices[]
  /** By layer: biases of queries, keys and values. */
  biases: readonly Tensor[]
  head: ProductMatrices
  /** Completion tokens for which a cache has room, a multiple of `keysAtOnce`. */
  capacity: number
  /** Query heads of a key head. */
  ratio: number
  /** Numbers in the keys of one row. */
  width: number
}

function prepare(
  recording: Recording,
  { weights, shape: { language } }: Pick<VideoModel, 'weights' | 'shape'>,
  options: StepOptions,
): StepTensors {
  const { owners, prompts } = options
  const rows = owners.length
  const { layers, heads, keyValueHeads, headSize } = language
  const groups = derived(prompts, list =>
    list.map((prompt, i) => {
      return { ...prompt, first: owners.indexOf(i), count: owners.filter(owner => owner === i).length }
    }),
  )
  const ratio = heads / keyValueHeads
  const lists = groupLists(recording, groups, ratio)
  const capacity = Math.ceil(options.capacity / keysAtOnce) * keysAtOnce
  const width = keyValueHeads * headSize
  const byLayer = <T>(of: (layer: number) => T): T[] => Array.from({ length: layers }, (_, i) => of(i))
  const cleared = (label: string, shape: readonly number[]): Tensor => {
    const tensor = recording.pin(label, shape, 'f16')
    recording.fill(tensor) // whole blocks are read, and the rows past the end must be finite
    return tensor
  }
  const prefixes = byLayer(() => cleared('prefix', [2, options.rows + keysAtOnce, width]))
  const caches = byLayer(() => cleared('cache', [2, owners.length, capacity, width]))
  const matrices = byLayer(layer => layerMatrices(recording, { weights, language, rows }, layer))
  const head = headMatrices(recording, { weights, language, rows })
  const biases = byLayer(layer => joinedBiases(recording, weights, language, layer))
  // A sequence that has ended stays at the position after its last token.
  const angles = rotations(recording, options.positions + options.capacity + 1, language)
  const nexts = derived(prompts, list => Uint32Array.from(owners, owner => list[owner].next))
  const starts = recording.input('starts', [owners.length], nexts)
  return { groups, lists, starts, angles, prefixes, caches, matrices, biases, head, capacity, ratio, width }
}

/** The biases of queries, keys and values, one after another; zeros where a model has none. */
function joinedBiases(
  recording: Recording,
  weights: ParameterSet,
  { heads, keyValueHeads, headSize, biased }: LanguageShape,
  layer: number,
): Tensor {
  const joined = recording.pin('biases', [(heads + 2 * keyValueHeads) * headSize])
  if (biased) joinBiases(recording, weights, layer, joined)
  else recording.fill(joined)
  return joined
}

function joinBiases(recording: Recording, weights: ParameterSet, layer: number, joined: Tensor): void {
  let at = 0
  for (const name of ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']) {
    const { value, shape } = layerWeight(weights, layer, `${name}.bias`)
    copy(recording, { from: value, into: joined, at })
    at += shape[0]
  }
}

/** One step of all sequences: embedding, layers, head. */
function recordStep(
  recording: Recording,
  { weights, shape: { language } }: Pick<VideoModel, 'weights' | 'shape'>,
  { owners, position, ids }: StepOptions,
  tensors: StepTensors,
): Tensor {
  const rows = owners.length
  const { hidden, layers, normEpsilon: epsilon, vocabulary } = language
  const { matrices } = tensors
  const temporary = (label: string, shape: readonly number[]) => recording.tensor(label, shape, 'f16')
  const normed = (parts?: number): Normed => ({
    rows: temporary('normed rows', blocksOf(rows, hidden)),
    squares: parts === undefined ? undefined : recording.tensor('squares', squaresOf(rows, parts)),
    scales: recording.tensor('scales', [squaresOf(rows, 1)[1]]),
    size: hidden,
    epsilon,
  })
  const gainOf = (layer: number) =>
    layer < layers ? layerWeight(weights, layer, 'input_layernorm.weight').value : lastNorm(weights).value

  const x = recording.tensor('residual stream', [rows, hidden])
  let input = normed()
  decodeStart(recording, {
    ...tokenRows(recording, embeddingTable(weights), ids, rows),
    x,
    gain: gainOf(0),
    normed: input,
    rows,
  })
  /** Adds a product to the residual stream, whose norm is then the next input. */
  const add = (from: Tensor, product: ProductMatrices, gain: Tensor): void => {
    const inner = from.shape[0] * 16
    const next = normed(squareParts(hidden, product.tile))
    const { scales } = input
    const of = {
      from,
      inner,
      tile: product.tile,
      tiled: product.tiled(),
      x,
      scales,
      gain,
      next,
      rows,
      columns: hidden,
    }
    addProjection(recording, of)
    input = next
  }
  for (let layer = 0; layer < layers; layer++) {
    const { out, gated: gating, down } = matrices[layer]
    const attended = recordAttention(
      recording,
      { weights, language },
      { position, input, rows, layer },
      tensors,
    )
    add(attended, out, layerWeight(weights, layer, 'post_attention_layernorm.weight').value)
    const [columns] = layerWeight(weights, layer, 'mlp.gate_proj.weight').shape
    const gated = temporary('gated', blocksOf(rows, columns))
    const gates = { tile: gating.tile, tiled: gating.tiled() }
    gatedProjection(recording, { x: input, rows, ...gates, out: gated, columns })
    add(gated, down, gainOf(layer + 1))
  }
  const logits = recording.tensor('logits', [rows, vocabulary])
  const head = { tile: tensors.head.tile, tiled: tensors.head.tiled() }
  stepLogits(recording, { x: input, rows, ...head, logits, columns: vocabulary })
  return logits
}

interface LayerInput {
  position: Tensor
  input: Normed
  rows: number
  layer: number
}

/** The attention of one layer to prompts and to the caches, in blocks. */
function recordAttention(
  recording: Recording,
  { weights, language }: { weights: ParameterSet; language: LanguageShape },
  { position, input, rows, layer }: LayerInput,
  { lists, starts, angles, prefixes, caches, matrices, biases, capacity, ratio }: StepTensors,
): Tensor {
  const { heads, keyValueHeads, headSize, headsNormed, normEpsilon: epsilon } = language
  const { qkv } = matrices[layer]
  const queries = recording.tensor('queries', [keyValueHeads, rows, ratio, headSize], 'f16')
  const of = { queries, cache: caches[layer], position, heads, keyValueHeads, headSize, capacity }
  attentionInputs(recording, {
    ...of,
    x: input,
    rows,
    tile: qkv.tile,
    tiled: qkv.tiled(),
    bias: biases[layer],
    turns: headsNormed ? undefined : { angles, starts },
  })
  if (headsNormed) {
    const [queryGain, keyGain] = ['q', 'k'].map(
      part => layerWeight(weights, layer, `self_attn.${part}_norm.weight`).value,
    )
    headNorms(recording, { ...of, rows, queryGain, keyGain, epsilon, angles, starts })
  }
  const out = recording.tensor('attended', blocksOf(rows, heads * headSize), 'f16')
  const prefix = prefixes[layer]
  groupAttention(recording, { ...of, lists, prefix, out, sequences: rows, scale: headSize ** -0.5 })
  return out
}

/** The embeddings of the tokens `ids` as rows of a table: of a table that is held as integers, only theirs. */
function tokenRows(recording: Recording, { value, integers }: Parameter, ids: Tensor, rows: number) {
  if (!integers) return { ids, table: value }
  const table = recording.tensor('embeddings', [rows, integers.shape[1]])
  const upTo = (label: string, length: number) =>
    recording.constant(
      label,
      [length],
      Uint32Array.from({ length }, (_, i) => i),
    )
  const destinations = upTo('destinations', rows)
  const lists = { destinations, offsets: upTo('offsets', rows + 1), items: ids }
  gatherRows(recording, { from: integers, into: table, ...lists, segments: rows, accumulate: false })
  return { ids: destinations, table }
}

/** Cosines and sines by position and half of a head, computed in float64. */
function rotations(recording: Recording, count: number, { headSize, ropeTheta }: LanguageShape): Tensor {
  const half = headSize / 2
  const data = new Float32Array(count * half * 2)
  for (let i = 0; i < count * half; i++) {
    const angle = Math.floor(i / half) * ropeTheta ** ((-2 * (i % half)) / headSize)
    data[2 * i] = Math.cos(angle)
    data[2 * i + 1] = Math.sin(angle)
  }
  return recording.constant('angles', [count, half, 2], data)
}
