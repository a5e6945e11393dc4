// connector.pixel-shuffle-mlp: squares of neighbouring features as in pixel-shuffle, then a norm and two products with a GELU
// between them (InternVL 1.5, arXiv:2404.16821).
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { layerNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Connector } from '../../../kernels/networks/shape.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { affine, type ConnectorEnds, type Part } from './part.ts'
import { type PixelShuffleSizes, shuffled, squaresPart } from './pixel-shuffle.ts'

export interface PixelShuffleMlpPart extends Part<Connector> {
  readonly kind: 'pixel-shuffle-mlp'
  readonly sizes: PixelShuffleSizes
}

/** Reads `downsample_ratio`. */
export function pixelShuffleMlp(
  fields: ConfigFields,
  { tower, language }: ConnectorEnds,
): PixelShuffleMlpPart {
  fields.only('projector_hidden_act', 'gelu')
  const across = Math.round(Math.sqrt(tower.frameTokens))
  const ratio = fields.number('downsample_ratio', { minimum: 1 / 64, maximum: 1, fallback: 0.5 })
  const scale = Math.trunc(1 / ratio)
  if (across ** 2 !== tower.frameTokens || 1 / ratio !== scale || across % scale)
    fields.problem(
      'downsample_ratio',
      `must be 1 of a divisor of ${across} patches across a frame, got ${ratio}`,
    )
  const sizes = { across, scale }
  const wide = tower.hidden * scale ** 2
  const tensors = new Map([
    ...affine(`${prefix}layer_norm`, [wide]),
    ...affine(`${prefix}linear_1`, [language.hidden, wide]),
    ...affine(`${prefix}linear_2`, [language.hidden, language.hidden]),
  ])
  return { kind: 'pixel-shuffle-mlp', sizes, ...squaresPart(sizes, tensors, record) }
}

const prefix = 'connector._connector.'

function record(pass: Pass, weights: ParameterSet, sizes: PixelShuffleSizes, features: Tensor): Tensor {
  const at = (name: string) => parameter(weights, prefix + name)
  const type = pass.recording.factorType
  const squares = shuffled(pass, features, sizes)
  // The published class takes the default epsilon of its library.
  const norm = { gain: at('layer_norm.weight'), bias: at('layer_norm.bias'), epsilon: 1e-5, type }
  const first = { bias: at('linear_1.bias'), type, activation: 'gelu-erf' } as const
  const wide = linear(pass, layerNorm(pass, squares, norm), at('linear_1.weight'), first)
  return linear(pass, wide, at('linear_2.weight'), { bias: at('linear_2.bias') })
}
