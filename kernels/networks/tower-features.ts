import type { Tensor } from '../device/tensor.ts'
import { copy } from '../elementwise/copy.ts'
import { gather, gatherInto } from '../layers/gather.ts'
import type { Pass } from '../layers/pass.ts'
import { ofShape } from './expected-shape.ts'
import type { ParameterSet } from './parameters.ts'
import { featureShape, type Tower } from './shape.ts'

/** Whether weights of the tower are trained: its features are then computed in the pass that trains it. */
export const trainsVision = ({ byName }: ParameterSet): boolean =>
  [...byName.values()].some(({ name, gradient }) => gradient && name.startsWith('vision_tower.'))

/** Records the tower over pixels (frames, channels, height, width), into features of their `featureShape`. */
export function recordTower(
  pass: Pass,
  weights: ParameterSet,
  tower: Tower,
  pixels: Tensor,
  features: Tensor,
): void {
  const x = recorded(pass, weights, tower, pixels)
  if (tower.grid) {
    copy(pass.recording, { from: x, into: features })
    return
  }
  const pairs = featureRows(tower, pixels.shape[0]).map((from, to) => ({ to, from }))
  gatherInto(pass, x, features, pairs)
}

/** The same features as a tensor of the pass, through which gradients flow. */
export function towerFeatures(pass: Pass, weights: ParameterSet, tower: Tower, pixels: Tensor): Tensor {
  const x = recorded(pass, weights, tower, pixels)
  if (tower.grid) return x
  return gather(pass, x, featureRows(tower, pixels.shape[0]), 'vision features')
}

function recorded(pass: Pass, weights: ParameterSet, tower: Tower, pixels: Tensor): Tensor {
  const { grid, tokens, hidden } = tower
  const wanted = grid ? featureShape(tower, pixels.shape) : [pixels.shape[0] * tokens, hidden]
  return ofShape(tower.record(pass, weights, pixels), wanted, 'a vision tower')
}

/** The rows of features among those of all tokens: the last ones of each frame. */
function featureRows({ tokens, frameTokens }: Tower, frames: number): number[] {
  return Array.from({ length: frames * frameTokens }, (_, i) => {
    return Math.floor(i / frameTokens) * tokens + tokens - frameTokens + (i % frameTokens)
  })
}
