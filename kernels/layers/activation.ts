import type { Tensor } from '../device/tensor.ts'
import {
  activationBackward,
  activation as activationKernel,
  siluMultiplyBackward,
  siluMultiply as siluMultiplyKernel,
} from '../elementwise/activations.ts'
import type { ActivationName } from '../wgsl/activation-functions.ts'
import type { Pass } from './pass.ts'

/** f(x), which only products may read. */
export function activation(pass: Pass, name: ActivationName, x: Tensor): Tensor {
  const y = pass.output(name, x.shape, [x], [], pass.recording.factorType)
  activationKernel(pass.recording, name, x, y)
  pass.onBackward(y, dy => {
    const { gradient: dx, accumulate } = pass.into(x)
    activationBackward(pass.recording, name, { x, dy, dx, accumulate })
  })
  return y
}

/** silu(gate) · up, the middle of a SwiGLU (Shazeer, arXiv:2002.05202), which only products may read. Nothing else may read gate and up. */
export function siluMultiply(pass: Pass, gate: Tensor, up: Tensor): Tensor {
  const y = pass.output('silu multiply', gate.shape, [gate, up], [], pass.recording.factorType)
  siluMultiplyKernel(pass.recording, gate, up, y)
  for (const x of [gate, up, y]) pass.keepGradientType(x)
  pass.onBackward(y, dy => {
    const dGate = pass.into(gate).gradient
    const dUp = pass.into(up).gradient
    siluMultiplyBackward(pass.recording, { gate, up, dy, dGate, dUp })
  })
  return y
}
