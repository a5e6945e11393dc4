// Activation functions, and sums of tensors. All but `addTable` are one expression for each element, so they are pointwise
// kernels (see pointwise.ts for who computes what); the functions, their derivatives and references are in
// wgsl/activation-functions.ts.
//
//   activation       y = f(x)                dx = dy · f′(x)
//   silu multiply    y = silu(gate) · up     the middle of a SwiGLU (Shazeer, "GLU Variants", arXiv:2002.05202)
//   add table        x[r] += table[r mod period]: the table's rows are repeated under the rows of x, as position
//                    embeddings of each frame are
//
// The derivatives are tested against finite differences of the references.

import { kernel } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { type ActivationName, activations, functions, logistic } from '../wgsl/activation-functions.ts'
import { spread, vectorise } from '../wgsl/packs.ts'
import { pointwise } from './pointwise.ts'

/** y = f(x), element by element. */
export function activation(recording: Recording, name: ActivationName, x: Tensor, y: Tensor): void {
  const body = `let x = inputs[i]; y[i] = ${activations[name].value};`
  pointwise(recording, { name, reads: { inputs: x }, writes: { y }, functions: functions[name], body })
}

/** dx (+)= dy · f′(x). */
export function activationBackward(
  recording: Recording,
  name: ActivationName,
  { x, dy, dx, accumulate }: { x: Tensor; dy: Tensor; dx: Tensor; accumulate: boolean },
): void {
  pointwise(recording, {
    name: `${name} backward`,
    reads: { inputs: x, dy },
    writes: { dx },
    functions: functions[name],
    body: `let x = inputs[i]; dx[i] = ${accumulate ? 'dx[i] + ' : ''}dy[i] * (${activations[name].slope});`,
  })
}

/** y = silu(gate) · up. */
export function siluMultiply(recording: Recording, gate: Tensor, up: Tensor, y: Tensor): void {
  const body = `let x = gate[i]; y[i] = ${activations.silu.value} * up[i];`
  pointwise(recording, {
    name: 'silu_multiply',
    reads: { gate, up },
    writes: { y },
    functions: logistic,
    body,
  })
}

/** dGate = dy · up · silu′(gate), dUp = dy · silu(gate). */
export function siluMultiplyBackward(
  recording: Recording,
  { gate, up, dy, dGate, dUp }: { gate: Tensor; up: Tensor; dy: Tensor; dGate: Tensor; dUp: Tensor },
): void {
  const { value, slope } = activations.silu
  pointwise(recording, {
    name: 'silu_multiply_backward',
    reads: { gate, up, dy },
    writes: { gate_gradient: dGate, up_gradient: dUp },
    functions: logistic,
    body: `
    let x = gate[i];
    let outer = dy[i];
    gate_gradient[i] = outer * up[i] * (${slope});
    up_gradient[i] = outer * ${value};`,
  })
}

/** into += from. */
export function add(recording: Recording, from: Tensor, into: Tensor): void {
  const body = 'into[i] = into[i] + source[i];'
  pointwise(recording, { name: 'add', reads: { source: from }, writes: { into }, body })
}

/** x[r] += table[r mod period], for x (rows, columns) and table (period, columns): position embeddings. */
export function addTable(recording: Recording, { x, table }: { x: Tensor; table: Tensor }): void {
  const [size, period] = [sizeOf(x.shape), sizeOf(table.shape)]
  const { size: packed, element, declarations } = vectorise(size, period)
  const { width, repeat } = spread(recording.target)
  const tabled = kernel({
    name: 'add_table',
    params: { count: 'u32', period: 'u32' },
    buffers: { x: { element, access: 'write' }, table: { element, access: 'read' } },
    code: `${declarations}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.count);
  for (var i = start; i < end; i += ${width}u) { x[i] = x[i] + table[i % params.period]; }
}`,
  })
  recording.dispatch(tabled, {
    params: { count: size / packed, period: period / packed },
    buffers: { x, table },
    grid: Math.ceil(size / packed / (width * repeat)),
  })
}
