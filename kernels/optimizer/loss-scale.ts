import { kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { pointwise } from '../elementwise/pointwise.ts'
import type { Recording } from '../plan/recording.ts'

/**
 * What keeps training in float16 within its range: derivatives of the loss are multiplied by a scale, so that small ones
 * do not vanish where products round them, and gradients are divided by it before they count.
 */
export interface LossScale {
  /** (4): the exponent of the scale, a power of 2; updates since it changed; updates that were skipped; 0. */
  state: Tensor
  /** u32 (1) each: what forwards, of which generation is one, and backwards cut to float16's range since the last update; see `Plan.saturated`. */
  forwardCuts: Tensor
  backwardCuts: Tensor
}

/** WGSL: the scale, exactly. */
export const scaleWgsl = 'bitcast<f32>((u32(state[0]) + 127u) << 23u)'

/** x *= scale. */
export function applyScale(recording: Recording, x: Tensor, { state }: LossScale): void {
  const body = `x[i] = x[i] * ${scaleWgsl};`
  pointwise(recording, { name: 'scale_loss', writes: { x }, tables: { state }, body })
}

/**
 * Comes after an update: where it was skipped, the scale halves, down to 1; after `growth` updates in a row it doubles.
 * With a growth of 0 it stays as it is. The counts of cuts start again. Reads report[1], whether the update was applied, and
 * writes the scale that it had, the cuts and all skipped updates so far behind report[2].
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

/** Beyond it, squares of gradients leave float32's range before anything else does. */
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
