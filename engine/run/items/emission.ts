import type { DeriveOptions, Emission, Item, Result } from '../../operator.ts'
import type { Lease } from './lease.ts'

const emissions = new WeakSet<object>()

/** Marks a value with options, so that `each` can tell it from a value that happens to look like one. */
export function emission<T>(value: T, options: DeriveOptions = {}): Emission<T> {
  const made = { ...options, value }
  emissions.add(made)
  return made
}

/** What work gave, as items that descend from its input. */
export function allDerived<B>(result: Result<B>, item: Item, keep: boolean): Lease<B>[] {
  if (result === undefined) return []
  return isList(result) ? result.map(one => derived(one, item, keep)) : [derived(result, item, keep)]
}

const kept: DeriveOptions = { keep: true }
const loose: DeriveOptions = { keep: false }

/** One value as an item that descends from the input. */
export function derived<B>(one: B | Emission<B>, item: Item, keep: boolean): Lease<B> {
  const standard = keep ? kept : loose
  // every item that the engine hands out is a lease, and a lease derives leases
  if (!isEmission(one)) return item.derive(one, standard) as Lease<B>
  const { value, ...options } = one
  return item.derive(value, { ...standard, ...options }) as Lease<B>
}

// a plain array always means several results: `Array.isArray` alone does not narrow a readonly list
export const isList = <B>(
  result: B | Emission<B> | readonly (B | Emission<B>)[],
): result is readonly (B | Emission<B>)[] => Array.isArray(result)

const isEmission = <B>(one: B | Emission<B>): one is Emission<B> =>
  typeof one === 'object' && one !== null && emissions.has(one)
