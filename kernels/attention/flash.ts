import { flashAttentionWgsl } from '../flash-attention-wgsl.ts'
import { cutOf, type FlashCut } from './flash-table.ts'
import { bindHeads, flashKernel } from './flash-launch.ts'
import { type AttentionShape, type Heads, logOfE } from './flash-shape.ts'
import type { Plan } from '../plan/plan.ts'
import type { Tensor } from '../device/tensor.ts'

export interface FlashAttention extends AttentionShape {
  queries: Heads
  keys: Heads
  values: Heads
  /** (batches · rows, heads · headSize), f32 or f16 */
  out: Tensor
  /** (batches, heads, rows): log Σ exp of each row's scores */
  logSums: Tensor
  /** By default what the table says: for measuring and testing. */
  cut?: FlashCut
}

/**
 * softmax(scale · Q Kᵀ + mask) V on matrix units, without the scores ever being in memory: a workgroup makes some rows of
 * a head, its subgroups 16 or 32 each, going through the keys a block at a time. Exponentials are taken against the
 * largest score at some earlier block; only when a row exceeds it by much are its sums rescaled, since blocks of sums
 * cannot be changed but through workgroup memory. Probabilities are rounded to float16, sums are float32. `scale` is
 * positive.
 */
export function flashAttention(plan: Plan, of: FlashAttention): void {
  const { out, logSums, batches, rows, heads, cut = cutOf(of, plan.target) } = of
  const { keyTile } = cut
  const rowTile = cut.subgroups * cut.rowBlocks * 16
  const { bindings, names } = bindHeads(plan, of, { rowTile, keyTile, transposed: false })
  bindings.add('out', out, { element: out.type === 'f16' ? 'vec4u' : 'vec4f', access: 'write' })
  bindings.add('logSums', logSums, { element: 'f32', access: 'write' })
  const tiles = Math.ceil(rows / rowTile)
  flashKernel(plan, of, {
    ...{ name: 'flash_attention', bindings, tiles, workgroups: tiles * heads * batches },
    variant: [cut, names],
    scale: of.scale * logOfE,
    code: () => flashAttentionWgsl(plan, of, cut, names, bindings.loads),
  })
}
