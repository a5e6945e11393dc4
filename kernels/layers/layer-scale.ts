import type { Tensor } from '../device/tensor.ts'
import { scaleColumns } from '../elementwise/scale-columns.ts'
import { columnSums } from '../rows/column-sum.ts'
import type { Parameter, Pass } from './pass.ts'

/** x · gain, with one gain for each column, and residual + x · gain with a residual: x and residual (rows, columns) in f32. */
export function layerScale(pass: Pass, x: Tensor, gain: Parameter, residual?: Tensor): Tensor {
  const { recording } = pass
  const y = pass.output(gain.name, x.shape, [x, ...(residual ? [residual] : [])], [gain])
  scaleColumns(recording, { x, gain: gain.value, ...(residual && { residual }), y })
  pass.onBackward(y, dy => {
    if (gain.gradient)
      columnSums(recording, { name: 'gain_sum', reads: { x, dy }, term: 'x[i] * dy[i]', out: gain.gradient })
    if (pass.wants(x)) {
      const { gradient, accumulate } = pass.into(x)
      scaleColumns(recording, { x: dy, gain: gain.value, y: gradient, accumulate })
    }
    if (residual) pass.adopt(residual, dy)
  })
  return y
}
