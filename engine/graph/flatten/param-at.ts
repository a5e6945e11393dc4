import { isObject } from '../../shared/json.ts'
import { at as within } from '../file/graph-file.ts'
import { type Locator, locate } from './flat.ts'

/** The param that a value of a graph is, if it is nothing but one: `"${steps}"`. */
export function paramAt({ source, path }: Locator, steps: readonly string[]): string | undefined {
  const raw = [...path, ...steps].reduce<unknown>((value, step) => within(value, step), source.value)
  return typeof raw === 'string' ? /^\$\{([\w-]+)\}$/.exec(raw)?.[1] : undefined
}

/** What `--set` changes to change a value: the param that it is nothing but, or its path. */
export const settingAt = (at: Locator, steps: readonly string[]): string =>
  paramAt(at, steps) ?? locate(at, steps).path

/** The params whose sum or product a value is, unless it is set. */
export function followsFrom(at: Locator, steps: readonly string[]): readonly unknown[] {
  const declared = within(within(at.source.value, 'params'), paramAt(at, steps) ?? '')
  const { sum, product } = isObject(declared) ? declared : {}
  return [sum, product].flatMap(parts => (Array.isArray(parts) ? parts : []))
}

/** Where the value of a param came from, for messages: its default, or the params that it is the product of. */
export function originOf(param: string, value: unknown, { source }: Locator): string {
  const declared = within(within(source.value, 'params'), param)
  const { default: fallback, product } = isObject(declared) ? declared : {}
  if (Array.isArray(product)) return `from the param "${param}", which is ${product.join(' · ')}`
  return value === fallback ? `the default of the param "${param}"` : `from the param "${param}"`
}
