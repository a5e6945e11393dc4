import { type StepProductName, stepTileFor } from '../../decode/product-table.ts'
import type { StepTile, StepWeights } from '../../decode/product-tile.ts'
import { addWeights, gatedWeights, logitsWeights } from '../../decode/projections.ts'
import { attentionInputWeights } from '../../decode/query-key-value.ts'
import { tiledSize, tileWeights } from '../../decode/tiled-weights.ts'
import type { Tensor } from '../../device/tensor.ts'
import { copy } from '../../elementwise/copy.ts'
import type { Parameter } from '../../layers/pass.ts'
import type { Recording } from '../../plan/recording.ts'
import { addAdapter } from '../adapters.ts'
import { headWeight, layerWeight } from '../language-weights.ts'
import type { ParameterSet } from '../parameters.ts'
import type { LanguageShape } from '../shape.ts'

/** The matrices (outputs, inputs) of a product of decode steps. */
export interface ProductMatrices {
  /** In the order in which the product names them; float16, unless they are in tiles. */
  matrices: readonly Tensor[]
  tiled: Tensor | undefined
  tile: StepTile
}

export interface LayerMatrices {
  qkv: ProductMatrices
  out: ProductMatrices
  gated: ProductMatrices
  down: ProductMatrices
}

export interface MatrixOptions {
  weights: ParameterSet
  language: LanguageShape
  /** Sequences of a step. */
  rows: number
}

/** The matrices of a layer; what steps need of them is made in the current segment. */
export function layerMatrices(
  recording: Recording,
  { weights, language, rows }: MatrixOptions,
  layer: number,
): LayerMatrices {
  const { heads, keyValueHeads, headSize, hidden: inner } = language
  const parameters = (...names: readonly string[]) =>
    names.map(name => layerWeight(weights, layer, `${name}.weight`))
  const add = (name: 'out' | 'down', matrix: string) => {
    const [parameter] = parameters(matrix)
    const [columns, inner] = parameter.shape
    const product = { name, rows, parameters: [parameter], columns, unit: columns }
    return matricesOf(recording, product, ([weight], tile) => addWeights({ weight, inner, columns, tile }))
  }
  const inputs = {
    name: 'qkv',
    rows,
    parameters: parameters('self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'),
    columns: (heads + 2 * keyValueHeads) * headSize,
    unit: headSize,
  } as const
  const gates = parameters('mlp.gate_proj', 'mlp.up_proj')
  const columns = gates[0].shape[0]
  const gated = { name: 'gated', rows, parameters: gates, columns: 2 * columns, unit: 2 * columns } as const
  return {
    qkv: matricesOf(recording, inputs, ([queryWeight, keyWeight, valueWeight], tile) => {
      const of = { queryWeight, keyWeight, valueWeight, heads, keyValueHeads, headSize, tile, inner }
      return attentionInputWeights(of)
    }),
    out: add('out', 'self_attn.o_proj'),
    gated: matricesOf(recording, gated, ([gate, up], tile) =>
      gatedWeights({ gate, up, columns, tile, inner }),
    ),
    down: add('down', 'mlp.down_proj'),
  }
}

/** The same for the head. */
export function headMatrices(
  recording: Recording,
  { weights, language, rows }: MatrixOptions,
): ProductMatrices {
  const { vocabulary: columns, hidden: inner } = language
  const parameters = [headWeight(weights, language)]
  const product = { name: 'head', rows, parameters, columns, unit: 64 } as const
  return matricesOf(recording, product, ([weight], tile) => logitsWeights({ weight, columns, tile, inner }))
}

interface Product {
  name: StepProductName
  rows: number
  parameters: readonly Parameter[]
  columns: number
  unit: number
}

/** Matrices in float32, as trained ones are, have to be copied to float16 in any case: the copy is made in tiles. */
function matricesOf(
  recording: Recording,
  { name, rows, parameters, columns, unit }: Product,
  weightsOf: (matrices: readonly Tensor[], tile: StepTile) => StepWeights,
): ProductMatrices {
  const isTiled = parameters.every(({ value, adapter }) => value.type === 'f32' && !adapter)
  const tile = stepTileFor(name, rows, parameters[0].shape[1], { columns, unit, isTiled })
  if (!isTiled)
    return { matrices: parameters.map(each => inFloat16(recording, each)), tiled: undefined, tile }
  const matrices = parameters.map(({ value }) => value)
  const weights = weightsOf(matrices, tile)
  const tiled = recording.pin(`${name} in tiles`, [tiledSize(weights)], 'f16')
  tileWeights(recording, weights, tiled)
  return { matrices, tiled, tile }
}

/** The weight itself if it is in float16 and has no adapter; else a float16 copy, made in the current segment, with the adapter added. */
function inFloat16(recording: Recording, { value, shape, adapter }: Parameter): Tensor {
  if (value.type === 'f16' && !adapter) return value
  const half = recording.pin(value.label, shape, 'f16')
  copy(recording, { from: value, into: half })
  if (adapter) addAdapter(recording, adapter, half)
  return half
}
