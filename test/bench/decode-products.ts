import type { StepProductName } from '../../kernels/decode/product-table.ts'
import type { StepTile } from '../../kernels/decode/product-tile.ts'
import {
  addProjection,
  addWeights,
  gatedProjection,
  gatedWeights,
  logitsWeights,
  squareParts,
  stepLogits,
} from '../../kernels/decode/projections.ts'
import { attentionInputs, attentionInputWeights } from '../../kernels/decode/query-key-value.ts'
import { blocksOf, squaresOf } from '../../kernels/decode/row-blocks.ts'
import type { StepWeights } from '../../kernels/decode/tiled-weights.ts'
import { toFloat16Bits } from '../../kernels/device/float16.ts'
import { sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { headWeight, layerWeight } from '../../kernels/networks/language-weights.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import type { Recording } from '../../kernels/plan/recording.ts'
import { noise } from '../kernels/support.ts'

/** A product of a decode step over made-up rows. */
export interface CutProduct {
  name: StepProductName
  columns: number
  inner: number
  unit: number
  /** By layer. */
  weightsOf(tile: StepTile): StepWeights[]
  /** Blocks of its rows. */
  x: Tensor
  record(recording: Recording, tiled: Tensor, tile: StepTile): void
  /** What it writes, and what sets that to zero. */
  result: Tensor
  reset(): void
}

const epsilon = 1e-6

/** The products of the model's step. */
export function cutProducts(model: VideoModel, rows: number): CutProduct[] {
  const { device, shape, weights } = model
  const { hidden, heads, keyValueHeads, headSize, vocabulary, layers } = shape.language
  const intermediate = layerWeight(weights, 0, 'mlp.gate_proj.weight').shape[0]
  const inLayers = <T>(of: (layer: number) => T) => Array.from({ length: layers }, (_, layer) => of(layer))
  const of = (layer: number, name: string) => layerWeight(weights, layer, `${name}.weight`).value
  const tensor = (dimensions: readonly number[], type: Tensor['type'] = 'f32') =>
    device.tensor('given', dimensions, type)
  const rowsOf = (inner: number, seed: number) => {
    const dimensions = blocksOf(rows, inner)
    return device.tensor('rows', dimensions, 'f16', toFloat16Bits(noise(sizeOf(dimensions), seed, 1)))
  }
  const padded = squaresOf(rows, 1)[1]
  const scales = device.tensor('scales', [padded], 'f32', new Float32Array(padded).fill(1))
  /** Squares that make the exact scale 1, which the rows were written with. */
  const squaresIn = (parts: number) => {
    const squares = new Float32Array((parts + 1) * padded).fill(hidden / parts, 0, parts * padded)
    return device.tensor('squares', squaresOf(rows, parts), 'f32', squares.fill(1, parts * padded))
  }
  // As the products before leave them: the exact norm is known where there are many.
  const squares = rows > 16 ? undefined : squaresIn(hidden / 32)
  const x = { rows: rowsOf(hidden, 1), squares, scales, size: hidden, epsilon }
  const zeroed = (result: Tensor) => ({ result, reset: () => clear(model, result) })
  const add = (name: 'out' | 'down', weight: string, inner: number): CutProduct => {
    const from = rowsOf(inner, 2)
    const [stream, gain] = [tensor([rows, hidden]), tensor([hidden])]
    const nextRows = tensor(blocksOf(rows, hidden), 'f16')
    return {
      ...{ name, columns: hidden, inner, unit: hidden, x: from, ...zeroed(stream) },
      weightsOf: tile => inLayers(layer => addWeights(of(layer, weight), { inner, columns: hidden, tile })),
      record(recording, tiled, tile) {
        const parts = squareParts(hidden, tile)
        const next = {
          ...{ rows: nextRows, scales: recording.tensor('scales', [padded]), size: hidden, epsilon },
          squares: parts === undefined ? undefined : recording.tensor('squares', squaresOf(rows, parts)),
        }
        addProjection(recording, {
          ...{ from, inner, tiled, x: stream, scales, gain, next, rows, columns: hidden, tile },
        })
      },
    }
  }
  const outputs = (heads + 2 * keyValueHeads) * headSize
  const sizes = { heads, keyValueHeads, headSize }
  const queries = tensor([keyValueHeads, rows, heads / keyValueHeads, headSize], 'f16')
  const cache = tensor([2, rows, 64, keyValueHeads * headSize], 'f16')
  const bias = tensor([outputs])
  const angles = device.tensor('angles', [64, headSize / 2, 2], 'f32', noise(64 * headSize, 3))
  const [starts, position] = [tensor([rows], 'u32'), tensor([rows], 'u32')]
  const gated = tensor(blocksOf(rows, intermediate), 'f16')
  const logits = tensor([rows, vocabulary])
  return [
    {
      ...{ name: 'qkv', columns: outputs, inner: hidden, unit: headSize, x: x.rows, ...zeroed(cache) },
      weightsOf: tile =>
        inLayers(layer => {
          const matrices = ['q_proj', 'k_proj', 'v_proj'].map(name => of(layer, `self_attn.${name}`))
          return attentionInputWeights(matrices, { ...sizes, tile, inner: hidden })
        }),
      record(recording, tiled, tile) {
        attentionInputs(recording, {
          ...{ x, rows, ...sizes, capacity: 64, tile, tiled },
          ...{ bias, turns: { angles, starts }, position, queries, cache },
        })
      },
    },
    add('out', 'self_attn.o_proj', heads * headSize),
    {
      ...{
        name: 'gated',
        columns: 2 * intermediate,
        inner: hidden,
        unit: 2 * intermediate,
        x: x.rows,
        ...zeroed(gated),
      },
      weightsOf: tile =>
        inLayers(layer => {
          const [gate, up] = [of(layer, 'mlp.gate_proj'), of(layer, 'mlp.up_proj')]
          return gatedWeights(gate, up, { columns: intermediate, tile, inner: hidden })
        }),
      record: (recording, tiled, tile) =>
        gatedProjection(recording, { x, rows, tiled, out: gated, columns: intermediate, tile }),
    },
    add('down', 'mlp.down_proj', intermediate),
    {
      ...{ name: 'head', columns: vocabulary, inner: hidden, unit: 64, x: x.rows, ...zeroed(logits) },
      weightsOf: tile => [
        logitsWeights(headWeight(weights, shape.language).value, {
          columns: vocabulary,
          tile,
          inner: hidden,
        }),
      ],
      record(recording, tiled, tile) {
        stepLogits(recording, { x, rows, tiled, logits, columns: vocabulary, tile })
      },
    },
  ]
}

function clear({ device }: VideoModel, tensor: Tensor): void {
  const zeros = new Float32Array(sizeOf(tensor.shape))
  if (tensor.storage)
    device.write({ ...tensor, storage: tensor.storage }, tensor.type === 'f16' ? toFloat16Bits(zeros) : zeros)
}
