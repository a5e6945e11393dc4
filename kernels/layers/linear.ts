import { columnSum } from '../column-sum.ts'
import { matmul } from '../matmul.ts'
import type { Tensor } from '../tensor.ts'
import type { Parameter, Pass } from './pass.ts'

/** y = x · weightᵀ (+ bias) (+ residual), for x (rows, inputs), weight (outputs, inputs), residual (rows, outputs). */
export function linear(
  pass: Pass,
  x: Tensor,
  weight: Parameter,
  { bias, residual }: { bias?: Parameter | undefined; residual?: Tensor } = {},
): Tensor {
  const { plan } = pass
  const [rows, inputs] = x.shape
  const outputs = weight.shape[0]
  const y = pass.output(weight.name, [rows, outputs], [x, residual], [weight, bias])
  matmul(plan, {
    form: 'nt',
    rows,
    columns: outputs,
    inner: inputs,
    a: x,
    b: flat(weight.value, outputs, inputs),
    out: y,
    ...(bias && { bias: bias.value }),
    ...(residual && { residual }),
  })
  pass.onBackward(y, dy => {
    if (weight.gradient) {
      const out = flat(weight.gradient, outputs, inputs)
      matmul(plan, {
        form: 'tn',
        rows: outputs,
        columns: inputs,
        inner: rows,
        a: dy,
        b: x,
        out,
        accumulate: true,
      })
    }
    if (bias?.gradient) columnSum(plan, { x: dy, out: bias.gradient })
    if (pass.wants(x)) {
      const { gradient, accumulate } = pass.into(x)
      const b = flat(weight.value, outputs, inputs)
      matmul(plan, { form: 'nn', rows, columns: inputs, inner: outputs, a: dy, b, out: gradient, accumulate })
    }
    if (residual) pass.adopt(residual, dy)
  })
  return y
}

/** A convolution's weight (outputs, channels, patch, patch) is a matrix (outputs, channels·patch·patch). */
const flat = (tensor: Tensor, rows: number, columns: number): Tensor => ({
  ...tensor,
  shape: [rows, columns],
})
