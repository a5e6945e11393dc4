// Dynamic loss scaling (Micikevicius et al., "Mixed Precision Training", arXiv:1710.03740, 3.2): float16 cannot hold gradients
// below 2⁻²⁴, so the derivatives of the loss are multiplied by a power of 2 before the backward, and the gradients are divided
// by it in the update.
//
//   forward ─▶ dLoss · scale ─▶ backward ─▶ gradients ─▶ update ─▶ adjust: overflow → scale / 2, skip the update
//                  ▲                                                     `growth` updates without → scale · 2
//                  └──────────────────── state (exponent, …) ◀──────────────┘
//
// The state lives on the GPU and one thread adjusts it, so that no update waits for the host. The scale is a power of 2, whose
// products are exact. The reference is `adjustScaleReference`.

import { kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { pointwise } from '../elementwise/pointwise.ts'
import type { Recording } from '../plan/recording.ts'

export interface LossScale {
  /** (4): exponent of the scale, a power of 2; updates since it changed; updates that were skipped; 0. */
  state: Tensor
  /** u32 (1): values that forwards, also those of generation, clamped to float16's range since the last update; see `Recording.saturated`. */
  forwardCuts: Tensor
  /** u32 (1): values that backwards clamped. */
  backwardCuts: Tensor
}

/** WGSL: the scale, computed from its exponent without rounding. */
export const scaleWgsl = 'bitcast<f32>((u32(state[0]) + 127u) << 23u)'

/** x *= scale. */
export function applyScale(recording: Recording, x: Tensor, { state }: LossScale): void {
  const body = `x[i] = x[i] * ${scaleWgsl};`
  pointwise(recording, { name: 'scale_loss', writes: { x }, tables: { state }, body })
}

/**
 * Adjusts the scale after an update: if it was skipped, the scale halves, down to 1; after `growth` applied updates in a row it
 * doubles; with a growth of 0 it never changes. Reads report[1], whether the update was applied. Writes the scale before,
 * the number of clamped values and all skipped updates so far to report[3], [4] and [5]. Resets both counters.
 */
export function adjustScale(
  recording: Recording,
  { scale, report, growth }: { scale: LossScale; report: Tensor; growth: number },
): void {
  const { state, forwardCuts, backwardCuts } = scale
  recording.dispatch(adjust, {
    params: { growth },
    buffers: { state, forward_cuts: forwardCuts, backward_cuts: backwardCuts, report },
    grid: 1,
  })
}

/** The same on the host: the next exponent and the updates since it changed. */
export function adjustScaleReference(
  { exponent, since }: { exponent: number; since: number },
  applied: boolean,
  growth: number,
): { exponent: number; since: number } {
  if (!applied) return { exponent: growth > 0 ? Math.max(0, exponent - 1) : exponent, since: 0 }
  if (growth > 0 && since + 1 >= growth)
    return { exponent: Math.min(exponent + 1, largestExponent), since: 0 }
  return { exponent, since: since + 1 }
}

/** With a larger scale, the squares of gradients leave float32's range first. */
const largestExponent = 24

const adjust = kernel({
  name: 'adjust_loss_scale',
  params: { growth: 'u32' },
  buffers: {
    state: { element: 'f32', access: 'write' },
    forward_cuts: { element: 'u32', access: 'write' },
    backward_cuts: { element: 'u32', access: 'write' },
    report: { element: 'f32', access: 'write' },
  },
  code: `
@compute @workgroup_size(1)
fn main() {
  let exponent = state[0];
  report[3] = ${scaleWgsl};
  let applied = report[1] == 1.0;
  let since = select(0.0, state[1] + 1.0, applied);
  let grown = applied && params.growth > 0u && since >= f32(params.growth);
  if (!applied) { state[2] += 1.0; }
  if (!applied && params.growth > 0u) { state[0] = max(0.0, exponent - 1.0); }
  if (grown) { state[0] = min(exponent + 1.0, ${largestExponent}.0); }
  state[1] = select(since, 0.0, grown);
  report[4] = f32(forward_cuts[0] + backward_cuts[0]);
  report[5] = state[2];
  forward_cuts[0] = 0u;
  backward_cuts[0] = 0u;
}`,
})
