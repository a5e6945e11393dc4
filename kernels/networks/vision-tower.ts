import type { Tensor } from '../device/tensor.ts'
import { addTable } from '../elementwise/activations.ts'
import { adjoined } from '../layers/adjoined.ts'
import { attention } from '../layers/attention.ts'
import { gather, gatherInto } from '../layers/gather.ts'
import { type LinearOptions, linear } from '../layers/linear.ts'
import { layerNorm } from '../layers/norm.ts'
import type { Pass } from '../layers/pass.ts'
import { patches } from '../pixels/patches.ts'
import { columnSum } from '../rows/column-sum.ts'
import { type ParameterSet, parameter } from './parameters.ts'
import { selectedTokens, tokensOfFrame, type VisionShape } from './shape.ts'

const prefix = 'vision_tower._vision_tower.vision_model'

/** Whether weights of the tower are trained: its features are then computed in the pass that trains it. */
export const trainsVision = ({ byName }: ParameterSet): boolean =>
  [...byName.values()].some(({ name, gradient }) => gradient && name.startsWith(prefix))

/**
 * SigLIP up to its feature layer: from pixels (frames, channels, size, size) to features (frames · tokens, hidden). The
 * blocks after the feature layer, the last norm and the pooling head are never computed.
 */
export function visionTower(
  pass: Pass,
  weights: ParameterSet,
  shape: VisionShape,
  pixels: Tensor,
  features: Tensor,
): void {
  const pairs = selectedRows(shape, pixels.shape[0]).map((from, to) => ({ to, from }))
  gatherInto(pass, allTokens(pass, weights, shape, pixels), features, pairs)
}

/** The same features as a tensor of the pass, through which gradients flow: (frames · tokens, hidden). */
export function visionFeatures(
  pass: Pass,
  weights: ParameterSet,
  shape: VisionShape,
  pixels: Tensor,
): Tensor {
  const x = allTokens(pass, weights, shape, pixels)
  return gather(pass, x, selectedRows(shape, pixels.shape[0]), 'vision features')
}

/** The rows that `select` keeps, among those of all tokens. */
function selectedRows(shape: VisionShape, frames: number): number[] {
  const [tokens, selected] = [tokensOfFrame(shape), selectedTokens(shape)]
  return Array.from({ length: frames * selected }, (_, i) => {
    return Math.floor(i / selected) * tokens + tokens - selected + (i % selected)
  })
}

function allTokens(pass: Pass, weights: ParameterSet, shape: VisionShape, pixels: Tensor): Tensor {
  const { recording } = pass
  const tokens = tokensOfFrame(shape)
  const frames = pixels.shape[0]
  const at = (name: string) => parameter(weights, `${prefix}.${name}`)
  const patchWeights = shape.channels * shape.patchSize ** 2
  const patched = recording.tensor('patches', [frames * tokens, patchWeights])
  patches(recording, { pixels, out: patched, patch: shape.patchSize })
  let x = linear(pass, patched, at('embeddings.patch_embedding.weight'), {
    bias: at('embeddings.patch_embedding.bias'),
  })
  const positions = at('embeddings.position_embedding.weight')
  addTable(recording, { x, table: positions.value })
  // Each row of the table was added to a row of every frame, so its gradient sums over the frames.
  pass.onBackward(x, dx => {
    if (positions.gradient) columnSum(recording, { x: dx, out: positions.gradient })
  })
  for (let i = 0; i < shape.blocks; i++)
    x = block(pass, shape, frames, x, name => at(`encoder.layers.${i}.${name}`))
  return x
}

function block(
  pass: Pass,
  shape: VisionShape,
  frames: number,
  x: Tensor,
  at: (name: string) => ReturnType<typeof parameter>,
): Tensor {
  const { heads, hidden, normEpsilon } = shape
  const tokens = x.shape[0] / frames
  const type = pass.recording.factorType
  const project = (input: Tensor, name: string, options: LinearOptions = { type }) =>
    linear(pass, input, at(`${name}.weight`), { bias: at(`${name}.bias`), ...options })
  const norm = (input: Tensor, name: string) =>
    layerNorm(pass, input, {
      gain: at(`${name}.weight`),
      bias: at(`${name}.bias`),
      epsilon: normEpsilon,
      type,
    })
  const h = norm(x, 'layer_norm1')
  const headSize = hidden / heads
  const names = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']
  const weight = adjoined(names.map(name => at(`${name}.weight`)))
  const bias = adjoined(names.map(name => at(`${name}.bias`)))
  const joint = weight && bias && linear(pass, h, weight, { bias, type })
  const [queries, keys, values] = names.map((name, i) =>
    joint ? { tensor: joint, column: i * hidden } : { tensor: project(h, name) },
  )
  const attended = attention(pass, {
    queries,
    keys,
    values,
    batches: frames,
    rows: tokens,
    keyRows: tokens,
    heads,
    keyValueHeads: heads,
    headSize,
    scale: headSize ** -0.5,
    mask: { kind: 'none' },
  })
  const y = project(attended, 'self_attn.out_proj', { residual: x })
  const z = norm(y, 'layer_norm2')
  const wide = project(z, 'mlp.fc1', { type, activation: shape.activation })
  return project(wide, 'mlp.fc2', { residual: y })
}
