// connector.pixel-shuffle: squares of neighbouring features become one row (space to depth, Shi et al., arXiv:1609.05158), which
// one product turns into a visual token (Idefics3, arXiv:2408.12637; SmolVLM, arXiv:2504.05299).
//
//   features of a frame, 4 across    squares of 2 × 2     row of the first square
//    0  1 │  2  3                     A │ B               0 1 4 5, side by side
//    4  5 │  6  7                    ───┼───
//   ──────┼──────                     C │ D
//    8  9 │ 10 11
//   12 13 │ 14 15
import { at } from '../../../engine/shared/at.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { gatherInto, type RowPair } from '../../../kernels/layers/gather.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Connector } from '../../../kernels/networks/shape.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import type { ConnectorEnds, Part, Shape } from './part.ts'

export interface PixelShuffleSizes {
  /** Features across a frame. */
  readonly across: number
  /** Features across a square. */
  readonly scale: number
}

export interface PixelShufflePart extends Part<Connector> {
  readonly kind: 'pixel-shuffle'
  readonly sizes: PixelShuffleSizes
}

/** Reads `scale_factor`. */
export function pixelShuffle(fields: ConfigFields, { tower, language }: ConnectorEnds): PixelShufflePart {
  const across = Math.round(Math.sqrt(tower.frameTokens))
  const scale = fields.integer('scale_factor', { minimum: 1, maximum: 64, fallback: 2 })
  if (across ** 2 !== tower.frameTokens || across % scale)
    fields.problem('scale_factor', `must divide the ${across} patches across a frame, got ${scale}`)
  const sizes = { across, scale }
  const tensors = new Map<string, Shape>([[weightName, [language.hidden, tower.hidden * scale ** 2]]])
  return { kind: 'pixel-shuffle', sizes, ...squaresPart(sizes, tensors, record) }
}

type RecordSquares = (pass: Pass, weights: ParameterSet, sizes: PixelShuffleSizes, features: Tensor) => Tensor

/** A connector that makes a visual token of each square. */
export function squaresPart(
  sizes: PixelShuffleSizes,
  tensors: ReadonlyMap<string, Shape>,
  record: RecordSquares,
) {
  const network: Connector = {
    layers: 0,
    visualTokens: features => Math.floor(features / sizes.scale ** 2),
    record: (pass, weights, features) => record(pass, weights, sizes, features),
  }
  return { network, tensors, stored: tensors, isUnused: () => false }
}

const weightName = 'connector._connector.modality_projection.proj.weight'

function record(pass: Pass, weights: ParameterSet, sizes: PixelShuffleSizes, features: Tensor): Tensor {
  const squares = shuffled(pass, features, sizes)
  return linear(pass, squares, parameter(weights, weightName))
}

/** The features (frames · across², columns) square by square: (frames · across² / scale², columns · scale²). */
export function shuffled(pass: Pass, features: Tensor, { across, scale }: PixelShuffleSizes): Tensor {
  const [rows, columns] = [at(features.shape, 0), at(features.shape, 1)]
  const area = scale ** 2
  const squares = pass.output('squares of features', [rows / area, columns * area], [features])
  gatherInto(pass, features, squares, squareRows(rows, across, scale))
  return squares
}

/** For each place in the squares, one after another, the feature that goes there. */
export function squareRows(rows: number, across: number, scale: number): RowPair[] {
  const squaresAcross = across / scale
  return Array.from({ length: rows }, (_, to) => {
    const [frame, place] = [Math.floor(to / across ** 2), to % across ** 2]
    const [square, inner] = [Math.floor(place / scale ** 2), place % scale ** 2]
    const y = Math.floor(square / squaresAcross) * scale + Math.floor(inner / scale)
    const x = (square % squaresAcross) * scale + (inner % scale)
    return { to, from: frame * across ** 2 + y * across + x }
  })
}
