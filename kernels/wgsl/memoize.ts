import type { Target } from '../device/kernel.ts'

/**
 * Makes what belongs to a key once, and gives the same object ever after. Kernels made so are known to a device by
 * identity: their source is written, and looked up, a single time.
 */
export function memoize<Value>(): (key: string, make: () => Value) => Value {
  const known = new Map<string, Value>()
  return (key, make) => {
    const found = known.get(key)
    if (found !== undefined) return found
    const made = make()
    known.set(key, made)
    return made
  }
}

/** What of a target changes a kernel, as part of a key. */
export const targetKey = ({ family, units, subgroupSize }: Target): string =>
  `${family} ${units} ${subgroupSize}`
