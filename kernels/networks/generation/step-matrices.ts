import { joinAdapters } from '../../decode/joined-adapters.ts'
import { type StepProductName, stepTileFor } from '../../decode/product-table.ts'
import type { StepTile } from '../../decode/product-tile.ts'
import { addWeights, gatedWeights, logitsWeights } from '../../decode/projections.ts'
import { attentionInputWeights } from '../../decode/query-key-value.ts'
import { type StepMatrix, type StepWeights, tiledSize, tileWeights } from '../../decode/tiled-weights.ts'
import type { Tensor } from '../../device/tensor.ts'
import { copy } from '../../elementwise/copy.ts'
import type { Parameter } from '../../layers/pass.ts'
import type { Recording } from '../../plan/recording.ts'
import { dequantise } from '../../weights/dequantise.ts'
import { addAdapter } from '../adapters.ts'
import { headWeight, layerWeight } from '../language-weights.ts'
import type { ParameterSet } from '../parameters.ts'
import type { LanguageShape } from '../shape.ts'

/** The matrices of a product of decode steps. */
export interface ProductMatrices {
  tile: StepTile
  /**
   * In tiles of float16, for a product that is recorded next. Those of floats were made once and are kept. Those of integers are made
   * for each step, in memory that the next product's reuse: floats of all weights would take the memory that integers save.
   */
  tiled(): Tensor
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
    return matricesOf(recording, product, ([weight], tile) => addWeights(weight, { inner, columns, tile }))
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
    qkv: matricesOf(recording, inputs, (weights, tile) =>
      attentionInputWeights(weights, { heads, keyValueHeads, headSize, tile, inner }),
    ),
    out: add('out', 'self_attn.o_proj'),
    gated: matricesOf(recording, gated, ([gate, up], tile) =>
      gatedWeights(gate, up, { columns, tile, inner }),
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
  return matricesOf(recording, product, ([weight], tile) => logitsWeights(weight, { columns, tile, inner }))
}

interface Product {
  name: StepProductName
  rows: number
  parameters: readonly Parameter[]
  columns: number
  unit: number
}

/** Puts the matrices into tiles, with their adapters added; those of floats in the current segment. */
function matricesOf(
  recording: Recording,
  { name, rows, parameters, columns, unit }: Product,
  weightsOf: (matrices: readonly StepMatrix[], tile: StepTile) => StepWeights,
): ProductMatrices {
  const tile = stepTileFor(name, rows, parameters[0].shape[1], { columns, unit })
  const isOneKind = parameters.every(one => kindOf(one) === kindOf(parameters[0]))
  const adapters = isOneKind && parameters[0].integers ? joinAdapters(recording, parameters) : undefined
  const areRead = isOneKind && (adapters !== undefined || !parameters.some(({ adapter }) => adapter))
  const label = `${name} in tiles`
  const into = (tensorOf: (size: number) => Tensor) => {
    const matrices = parameters.map(each =>
      areRead ? (each.integers ?? each.value) : withAdapter(recording, each),
    )
    const weights = weightsOf(matrices, tile)
    const tiled = tensorOf(tiledSize(weights))
    tileWeights(recording, weights, tiled, adapters)
    return tiled
  }
  if (parameters.some(({ integers }) => integers))
    return { tile, tiled: () => into(size => recording.tensor(label, [size], 'f16')) }
  const tiled = into(size => recording.pin(label, [size], 'f16'))
  return { tile, tiled: () => tiled }
}

/** Matrices of one kind are read by one kernel. */
const kindOf = ({ value, integers }: Parameter): string =>
  integers ? `${integers.bits} bits in groups of ${integers.groupSize}` : value.type

/** A float16 copy of the weight, with its adapter, if it has one, added. */
function withAdapter(recording: Recording, { value, integers, shape, adapter }: Parameter): Tensor {
  const half = recording.tensor(value.label, shape, 'f16')
  if (integers) dequantise(recording, { from: integers, out: half })
  else copy(recording, { from: value, into: half })
  if (adapter) addAdapter(recording, adapter, half)
  return half
}
