import { bytesOf } from '../device/tensor.ts'
import type { Parameter } from './pass.ts'

/**
 * One parameter that spans several which follow each other in memory, the sum of their rows high: one product then reads all
 * of them. Undefined if there is a gap between them, or if one has a gradient or an adapter, or is held as
 * integers.
 */
export function adjoined(parameters: readonly Parameter[]): Parameter | undefined {
  const [{ name, shape, value }] = parameters
  if (!value.storage) return undefined
  const inner = shape.slice(1)
  let end = value.storage.offsetBytes
  for (const { value: next, gradient, adapter, integers } of parameters) {
    const follows = next.storage?.buffer === value.storage.buffer && next.storage.offsetBytes === end
    const isAlike = next.type === value.type && String(next.shape.slice(1)) === String(inner)
    if (!follows || !isAlike || gradient || adapter || integers) return undefined
    end += bytesOf(next)
  }
  const joined = [parameters.reduce((sum, one) => sum + one.shape[0], 0), ...inner]
  return {
    name: `${name} and ${parameters.length - 1} more`,
    shape: joined,
    value: { ...value, shape: joined },
  }
}
