import type { FloatType, Tensor } from '../device/tensor.ts'
import { matmul } from '../matmul/matmul.ts'
import { columnSum } from '../rows/column-sum.ts'
import type { ActivationName } from '../wgsl/activation-functions.ts'
import { activation as activationLayer, siluMultiply } from './activation.ts'
import type { Adapter, Parameter, Pass } from './pass.ts'
import { weightProduct } from './weight-product.ts'

export interface LinearOptions {
  bias?: Parameter | undefined
  /** f32 (rows, outputs): added to y. */
  residual?: Tensor
  /** Type of y, by default f32. */
  type?: FloatType
  /** Returns f(y), which only products may read. */
  activation?: ActivationName
  /** Returns silu(gate) · y, the middle of a SwiGLU, which only products may read. Nothing else may read gate. */
  gate?: Tensor
}

/**
 * y = x · weightᵀ (+ bias) (+ residual), for x (rows, inputs) and weight (outputs, inputs). With an adapter,
 * + scale · (x · downᵀ) · upᵀ (LoRA, Hu et al., arXiv:2106.09685); the sum weight + scale · up · down is never computed.
 */
export function linear(
  pass: Pass,
  x: Tensor,
  weight: Parameter,
  { bias, residual, type, activation, gate }: LinearOptions = {},
): Tensor {
  const { recording } = pass
  const [rows, inputs] = x.shape
  const outputs = weight.shape[0]
  const { adapter } = weight
  const y = pass.output(
    weight.name,
    [rows, outputs],
    [x, residual],
    [weight, bias, adapter?.down, adapter?.up],
    type,
  )
  // The product computes the function too, unless its backward needs y, or an adapter adds to y first.
  const fused = !adapter && !pass.wants(y) && !(gate && pass.wants(gate))
  weightProduct(pass, weight, {
    rows,
    a: x,
    out: y,
    ...(bias && { bias: bias.value }),
    ...(residual && { residual }),
    ...(fused && activation && { activation }),
    ...(fused && gate && { gate }),
  })
  const adapted = adapter && adapt(pass, x, adapter, y)
  pass.onBackward(y, dy => {
    const isRead = weight.gradient || adapter?.up.gradient || pass.wants(x)
    const a = isRead ? pass.rounded(dy) : dy
    if (weight.gradient) {
      const out = flat(weight.gradient, outputs, inputs)
      matmul(recording, {
        form: 'tn',
        rows: outputs,
        columns: inputs,
        inner: rows,
        a,
        b: x,
        out,
        accumulate: true,
      })
    }
    if (bias?.gradient) columnSum(recording, { x: dy, out: bias.gradient })
    if (pass.wants(x)) {
      const { gradient, accumulate } = pass.into(x)
      const b = pass.factor(weight, rows)
      matmul(recording, {
        form: 'nn',
        rows,
        columns: inputs,
        inner: outputs,
        a,
        b,
        out: gradient,
        accumulate,
      })
    }
    adapted?.backward(a)
    if (residual) pass.adopt(residual, dy)
  })
  if (fused) return y
  if (gate) return siluMultiply(pass, gate, y)
  return activation ? activationLayer(pass, activation, y) : y
}

/** y += scale · (x · downᵀ) · upᵀ. The caller records the backward after that of the weight. */
function adapt(pass: Pass, x: Tensor, { down, up, scale }: Adapter, y: Tensor) {
  const { recording } = pass
  const [rows, inputs] = x.shape
  const [outputs, rank] = up.shape
  const low = recording.tensor(down.name, [rows, rank], recording.factorType)
  const [a, b] = [down.value, up.value]
  matmul(recording, { form: 'nt', rows, columns: rank, inner: inputs, a: x, b: a, out: low })
  matmul(recording, {
    form: 'nt',
    rows,
    columns: outputs,
    inner: rank,
    a: low,
    b,
    out: y,
    scale,
    accumulate: true,
  })
  return {
    backward(dy: Tensor): void {
      if (up.gradient) {
        const sizes = { rows: outputs, columns: rank, inner: rows }
        matmul(recording, { form: 'tn', ...sizes, a: dy, b: low, out: up.gradient, scale, accumulate: true })
      }
      if (!down.gradient && !pass.wants(x)) return
      const dLow = recording.tensor(`d ${down.name}`, [rows, rank], recording.factorType)
      matmul(recording, { form: 'nn', rows, columns: rank, inner: outputs, a: dy, b, out: dLow, scale })
      if (down.gradient) {
        const out = down.gradient
        const sizes = { rows: rank, columns: inputs, inner: rows }
        matmul(recording, { form: 'tn', ...sizes, a: dLow, b: x, out, accumulate: true })
      }
      if (pass.wants(x)) {
        const { gradient, accumulate } = pass.into(x)
        matmul(recording, {
          form: 'nn',
          rows,
          columns: inputs,
          inner: rank,
          a: dLow,
          b: a,
          out: gradient,
          accumulate,
        })
      }
    },
  }
}

/** A convolution's weight (outputs, channels, patch, patch) as a matrix (outputs, channels · patch · patch). */
const flat = (tensor: Tensor, rows: number, columns: number): Tensor => ({
  ...tensor,
  shape: [rows, columns],
})
