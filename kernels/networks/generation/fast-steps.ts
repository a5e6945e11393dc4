import { decodeStart } from '../../decode/embed-and-norm.ts'
import type { Normed } from '../../decode/product.ts'
import { stepTileFor } from '../../decode/product-table.ts'
import { addProjection, gatedProjection, stepLogits } from '../../decode/projections.ts'
import { attentionInputs } from '../../decode/query-key-value.ts'
import { blocksOf, squaresOf } from '../../decode/row-blocks.ts'
import { groupAttention, groupItems, groupLists } from '../../decode/shared-prompt-attention.ts'
import { keysAtOnce } from '../../decode/shared-prompt-parts.ts'
import type { Tensor } from '../../device/tensor.ts'
import { copy } from '../../elementwise/copy.ts'
import type { Parameter } from '../../layers/pass.ts'
import type { Recording } from '../../plan/recording.ts'
import { addAdapter } from '../adapters.ts'
import { embeddingTable, headWeight, lastNorm, layerWeight } from '../language-model.ts'
import type { ParameterSet } from '../parameters.ts'
import type { LanguageShape } from '../shape.ts'
import type { VideoModel } from '../video-model.ts'
import { type StepOptions, type Steps, unchanged } from './plain-steps.ts'

const matrices = [
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj',
  'mlp.gate_proj',
  'mlp.up_proj',
  'mlp.down_proj',
]

/** Whether a step can be made of few dispatches: products in float16 on matrix units, sizes that blocks of 16 divide. */
export function canStepFast(recording: Recording, weights: ParameterSet, language: LanguageShape): boolean {
  const { hidden, heads, keyValueHeads, headSize, layers } = language
  const intermediate = layerWeight(weights, 0, 'mlp.gate_proj.weight').shape[0]
  return (
    recording.target.units !== 'none' &&
    recording.precision === 'float16' &&
    layers > 0 &&
    heads / keyValueHeads <= 64 &&
    headSize <= 256 &&
    [hidden, heads * headSize, headSize, intermediate].every(size => size % 16 === 0)
  )
}

/**
 * Steps of few dispatches. Makes ready, in the plan's current segment, what they need: room for keys and values, biases
 * side by side, and float16 copies of the matrices that are kept in float32 because they are trained, or that have an
 * adapter, which is added to the copy.
 */
export function fastSteps(
  recording: Recording,
  { weights, shape: { language } }: Pick<VideoModel, 'weights' | 'shape'>,
  of: StepOptions,
): Steps {
  const { owners, prompts, rows: prefixRows, position, ids } = of
  const rows = owners.length
  const { hidden, layers, heads, keyValueHeads, headSize, normEpsilon: epsilon, vocabulary } = language
  const groups = prompts.map((prompt, i) => {
    return { ...prompt, first: owners.indexOf(i), count: owners.filter(owner => owner === i).length }
  })
  const ratio = heads / keyValueHeads
  const lists = groupLists(recording, groups, ratio)
  const capacity = Math.ceil(of.capacity / keysAtOnce) * keysAtOnce
  const width = keyValueHeads * headSize
  const each = <T>(make: (layer: number) => T): T[] => Array.from({ length: layers }, (_, i) => make(i))
  const cleared = (label: string, shape: readonly number[]): Tensor => {
    const tensor = pinned(recording, label, shape)
    recording.fill(tensor) // whole blocks are read, and what lies past the end must be finite
    return tensor
  }
  const prefix = each(() => cleared('prefix', [2, prefixRows + keysAtOnce, width]))
  const cache = each(() => cleared('cache', [2, rows, capacity, width]))
  const halves = each(layer => {
    const made = matrices.map(name => halved(recording, layerWeight(weights, layer, `${name}.weight`)))
    return { q: made[0], k: made[1], v: made[2], o: made[3], gate: made[4], up: made[5], down: made[6] }
  })
  const head = halved(recording, headWeight(weights, language))
  const biases = each(layer => {
    const joined = recording.pin('biases', [(heads + 2 * keyValueHeads) * headSize])
    let at = 0
    for (const name of matrices.slice(0, 3)) {
      const { value, shape } = layerWeight(weights, layer, `${name}.bias`)
      copy(recording, { from: value, into: joined, at })
      at += shape[0]
    }
    return joined
  })
  // Sequences that have ended stay at the position behind their last one.
  const angles = rotations(recording, Math.max(...groups.map(({ room }) => room)) + of.capacity + 1, language)
  const lengths = recording.constant(
    'lengths',
    [rows],
    Uint32Array.from(owners, owner => prompts[owner].length),
  )

  const normed = (parts: number): Normed => ({
    rows: pinlessHalves(recording, 'normed rows', blocksOf(rows, hidden)),
    squares: recording.tensor('squares', squaresOf(rows, parts)),
    scales: recording.tensor('scales', [squaresOf(rows, 1)[1]]),
    size: hidden,
    epsilon,
  })
  const gainOf = (layer: number) =>
    layer < layers ? layerWeight(weights, layer, 'input_layernorm.weight').value : lastNorm(weights).value

  return {
    storePrompt(layer, keys, values, { recording, start, placed = unchanged }) {
      const into = placed(prefix[layer])
      copy(recording, { from: keys, into, at: start * width })
      copy(recording, { from: values, into, at: (prefixRows + keysAtOnce + start) * width })
    },
    promptWrites(prompt, length) {
      const group = { ...groups[prompt], length }
      const before = groups.slice(0, prompt).flatMap(one => groupItems(one, 0, ratio).items)
      const firstItem = before.length / 4
      const { items, places } = groupItems(group, firstItem, ratio)
      return [
        { into: lengths, at: group.first, data: new Uint32Array(group.count).fill(length) },
        { into: lists.items, at: firstItem * 4, data: Uint32Array.from(items) },
        { into: lists.places, at: group.first * 3, data: Uint32Array.from(places) },
      ]
    },
    recordStep() {
      const x = recording.tensor('residual stream', [rows, hidden])
      const start = normed(1)
      decodeStart(recording, {
        ids,
        table: embeddingTable(weights).value,
        x,
        gain: gainOf(0),
        normed: start,
        rows,
      })
      let before = start
      const add = (name: 'out' | 'down', from: Tensor, weight: Tensor, gain: Tensor): void => {
        const inner = from.shape[0] * 16
        const tile = stepTileFor(name, rows, inner, { columns: hidden, unit: hidden })
        const next = normed(hidden / (16 * tile.columnBlocks))
        addProjection(recording, {
          from,
          inner,
          weight,
          x,
          scales: before.scales,
          gain,
          next,
          rows,
          columns: hidden,
          tile,
        })
        before = next
      }
      for (let layer = 0; layer < layers; layer++) {
        const { q, k, v, o, gate, up, down } = halves[layer]
        const queries = pinlessHalves(recording, 'queries', [keyValueHeads, rows, ratio, headSize])
        attentionInputs(recording, {
          ...{ x: before, rows, heads, keyValueHeads, headSize, capacity },
          ...{ queryWeight: q, keyWeight: k, valueWeight: v, bias: biases[layer] },
          ...{ angles, lengths, position, queries, cache: cache[layer] },
          tile: stepTileFor('qkv', rows, hidden, {
            columns: (heads + 2 * keyValueHeads) * headSize,
            unit: headSize,
          }),
        })
        const attended = pinlessHalves(recording, 'attended', blocksOf(rows, heads * headSize))
        groupAttention(recording, {
          ...{ lists, queries, prefix: prefix[layer], cache: cache[layer], position, out: attended },
          ...{ sequences: rows, heads, keyValueHeads, headSize, capacity, scale: headSize ** -0.5 },
        })
        const gain = layerWeight(weights, layer, 'post_attention_layernorm.weight').value
        add('out', attended, o, gain)
        const columns = gate.shape[0]
        const out = pinlessHalves(recording, 'gated', blocksOf(rows, columns))
        gatedProjection(recording, {
          ...{ x: before, rows, gate, up, out, columns },
          tile: stepTileFor('gated', rows, hidden, { columns: 2 * columns, unit: 2 * columns }),
        })
        add('down', out, down, gainOf(layer + 1))
      }
      const logits = recording.tensor('logits', [rows, vocabulary])
      stepLogits(recording, {
        ...{ x: before, rows, weight: head, logits, columns: vocabulary },
        tile: stepTileFor('head', rows, hidden, { columns: vocabulary, unit: 64 }),
      })
      return logits
    },
  }
}

/** The weight itself where it is float16 and alone, else a copy that lives as long as the plan: rounded once, with its adapter. */
function halved(recording: Recording, { value, shape, adapter }: Parameter): Tensor {
  if (value.type === 'f16' && !adapter) return value
  const half = pinned(recording, value.label, shape)
  copy(recording, { from: value, into: half })
  if (adapter) addAdapter(recording, adapter, half)
  return half
}

const pinned = (recording: Recording, label: string, shape: readonly number[]): Tensor =>
  recording.pin(label, shape, 'f16')

const pinlessHalves = (recording: Recording, label: string, shape: readonly number[]): Tensor =>
  recording.tensor(label, shape, 'f16')

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
