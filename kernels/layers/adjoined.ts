import { bytesOf } from '../device/tensor.ts'
import type { Parameter } from './pass.ts'

/**
 * One parameter for several that lie one behind the other in memory, their first extents added: what reads all of them
 * then does so in one product. Undefined where they lie apart, or where a gradient or an adapter is one's own.
 */
export function adjoined(parameters: readonly Parameter[]): Parameter | undefined {
  const [{ name, shape, value }] = parameters
  if (!value.storage) return undefined
  const inner = shape.slice(1)
  let end = value.storage.offsetBytes
  for (const { value: next, gradient, adapter } of parameters) {
    const behind = next.storage?.buffer === value.storage.buffer && next.storage.offsetBytes === end
    const alike = next.type === value.type && String(next.shape.slice(1)) === String(inner)
    if (!behind || !alike || gradient || adapter) return undefined
    end += bytesOf(next)
  }
  const whole = [parameters.reduce((sum, each) => sum + each.shape[0], 0), ...inner]
  return {
    name: `${name} and ${parameters.length - 1} more`,
    shape: whole,
    value: { ...value, shape: whole },
  }
}
