import { addTable } from '../elementwise.ts'
import { activation } from '../layers/activation.ts'
import { attention } from '../layers/attention.ts'
import { gatherInto } from '../layers/gather.ts'
import { linear } from '../layers/linear.ts'
import { layerNorm } from '../layers/norm.ts'
import type { Pass } from '../layers/pass.ts'
import { patches } from '../patches.ts'
import type { Tensor } from '../tensor.ts'
import { type ParameterSet, parameter } from './parameters.ts'
import { selectedTokens, tokensOfFrame, type VisionShape } from './shape.ts'

const prefix = 'vision_tower._vision_tower.vision_model'

/**
 * SigLIP up to its feature layer: pixels (frames, channels, size, size) to rows of features (frames · tokens, hidden)
 * from `firstRow` on. Blocks past the feature layer, the last norm and the pooling head are never computed.
 */
export function visionTower(
  pass: Pass,
  weights: ParameterSet,
  shape: VisionShape,
  pixels: Tensor,
  features: Tensor,
  firstRow: number,
): void {
  const { plan } = pass
  const tokens = tokensOfFrame(shape)
  const frames = pixels.shape[0]
  const at = (name: string) => parameter(weights, `${prefix}.${name}`)
  const patchWeights = shape.channels * shape.patchSize ** 2
  const patched = plan.tensor('patches', [frames * tokens, patchWeights])
  patches(plan, { pixels, out: patched, patch: shape.patchSize })
  let x = linear(pass, patched, at('embeddings.patch_embedding.weight'), {
    bias: at('embeddings.patch_embedding.bias'),
  })
  addTable(plan, { x, table: at('embeddings.position_embedding.weight').value })
  for (let i = 0; i < shape.blocks; i++)
    x = block(pass, shape, frames, x, name => at(`encoder.layers.${i}.${name}`))
  const kept = selectedTokens(shape)
  const first = tokens - kept
  const pairs = Array.from({ length: frames * kept }, (_, i) => {
    return { to: firstRow + i, from: Math.floor(i / kept) * tokens + first + (i % kept) }
  })
  gatherInto(pass, x, features, pairs)
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
  const project = (input: Tensor, name: string, residual?: Tensor) =>
    linear(pass, input, at(`${name}.weight`), { bias: at(`${name}.bias`), ...(residual && { residual }) })
  const h = layerNorm(pass, x, at('layer_norm1.weight'), at('layer_norm1.bias'), normEpsilon)
  const headSize = hidden / heads
  const mixed = attention(pass, {
    queries: { tensor: project(h, 'self_attn.q_proj') },
    keys: { tensor: project(h, 'self_attn.k_proj') },
    values: { tensor: project(h, 'self_attn.v_proj') },
    batches: frames,
    rows: tokens,
    keyRows: tokens,
    heads,
    keyValueHeads: heads,
    headSize,
    scale: headSize ** -0.5,
    mask: { kind: 'none' },
  })
  const y = project(mixed, 'self_attn.out_proj', x)
  const z = layerNorm(pass, y, at('layer_norm2.weight'), at('layer_norm2.bias'), normEpsilon)
  return project(activation(pass, shape.activation, project(z, 'mlp.fc1')), 'mlp.fc2', y)
}
