import { kernel, type Target, targetKey } from '../device/kernel.ts'
import { sizeOf } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'
import { flashKeyGradients } from './flash-key-gradients.ts'
import { flashQueryGradients } from './flash-query-gradients.ts'
import type { FlashBackward } from './flash-shape.ts'

// Gradients of flash attention, in three kernels that make the probabilities again instead of having kept them (Dao et al. 2022,
// algorithm 4). With L the log sums of the forward, and D = Σ dO ∘ O of each row, the "dots":
//
//   P = exp(scale · Q Kᵀ − L)      dP = dO Vᵀ      dS = scale · P ∘ (dP − D)
//   dQ = dS K                      dK = dSᵀ Q      dV = Pᵀ dO
//
//   attention_dots          D, one lane a head of a row (here)
//   flash_query_gradients   dQ: a workgroup keeps rows and goes through the keys they see
//   flash_key_gradients     dK and dV: a workgroup keeps keys and goes through the rows that see them
//
// Two kernels make P and dS twice, but no sum is shared between workgroups: no atomics, the same bits every time. P and dS are
// rounded to float16. The reference is `attentionReference` in test/kernels/attention.

/** Gradients of `flashAttention` for those of queries, keys and values that ask for one. */
export function flashAttentionBackward(recording: Recording, of: FlashBackward): void {
  const { batches, heads, rows, headSize, out, dOut } = of
  const dots = recording.tensor('attention dots', [batches, heads, rows])
  const count = sizeOf(dots.shape)
  recording.dispatch(dotsOf(recording.target, out.type, dOut.type), {
    params: { count, rows, heads, vectors: headSize / 4 },
    buffers: { outs: out, gradients: dOut, dots },
    grid: Math.ceil(count / spread(recording.target).width),
  })
  flashQueryGradients(recording, of, dots)
  flashKeyGradients(recording, of, dots)
}

// One lane a head of a row.
function dotsOf(target: Target, out: string, gradient: string) {
  const { width } = spread(target)
  return kernel(['attention_dots', targetKey(target), out, gradient], () => ({
    name: 'attention_dots',
    enables: out === 'f16' || gradient === 'f16' ? 'enable f16;' : '',
    params: { count: 'u32', rows: 'u32', heads: 'u32', vectors: 'u32' },
    buffers: {
      outs: { element: `vec4<${out}>`, access: 'read' }, // (batches, rows, heads, headSize)
      gradients: { element: `vec4<${gradient}>`, access: 'read' }, // as outs
      dots: { element: 'f32', access: 'write' }, // (batches, heads, rows)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = workgroup_index(id) * ${width}u + lane;
  if (at >= params.count) { return; }
  let head = at % params.heads;
  let row = at / params.heads % params.rows;
  let batch = at / params.heads / params.rows;
  var sum = 0.0;
  for (var i = at * params.vectors; i < (at + 1u) * params.vectors; i++) {
    sum += dot(vec4f(outs[i]), vec4f(gradients[i]));
  }
  dots[(batch * params.heads + head) * params.rows + row] = sum;
}`,
  }))
}
