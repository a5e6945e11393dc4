import type { FloatType, Tensor } from '../device/tensor.ts'
import { layerNormBackward, layerNorm as layerNormKernel } from '../rows/layer-norm.ts'
import { rmsNormBackward, rmsNorm as rmsNormKernel } from '../rows/rms-norm.ts'
import type { Parameter, Pass } from './pass.ts'

/** Root-mean-square norm of each row of x (rows, columns), scaled by gain (columns); the result has type `type`. */
export function rmsNorm(
  pass: Pass,
  x: Tensor,
  gain: Parameter,
  epsilon: number,
  type: FloatType = 'f32',
): Tensor {
  const y = pass.output(gain.name, x.shape, [x], [gain], type)
  rmsNormKernel(pass.recording, x, gain.value, y, epsilon)
  pass.onBackward(y, dy => {
    const { gradient: dx, accumulate } = pass.into(x)
    const gainGradient = gain.gradient
    rmsNormBackward(pass.recording, {
      x,
      gain: gain.value,
      dy,
      dx,
      accumulate,
      epsilon,
      ...(gainGradient && { gainGradient }),
    })
  })
  return y
}

export interface LayerNormOptions {
  /** (columns) */
  gain: Parameter
  /** (columns) */
  bias: Parameter
  epsilon: number
  /** Type of the result, by default f32. */
  type?: FloatType
}

/** Layer norm of each row of x (rows, columns). */
export function layerNorm(
  pass: Pass,
  x: Tensor,
  { gain, bias, epsilon, type = 'f32' }: LayerNormOptions,
): Tensor {
  const y = pass.output(gain.name, x.shape, [x], [gain, bias], type)
  layerNormKernel(pass.recording, { x, gain: gain.value, bias: bias.value, y, epsilon })
  pass.onBackward(y, dy => {
    const target = pass.wants(x) ? pass.into(x) : undefined
    layerNormBackward(pass.recording, {
      x,
      gain: gain.value,
      dy,
      accumulate: target?.accumulate ?? false,
      epsilon,
      ...(target && { dx: target.gradient }),
      ...(gain.gradient && { gainGradient: gain.gradient }),
      ...(bias.gradient && { biasGradient: bias.gradient }),
    })
  })
  return y
}
