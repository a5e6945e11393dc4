import { concatMap, firstValueFrom, from, map, mergeAll, pipe, toArray } from 'rxjs'
import type { Config, Context, Fields, Item, Operator, Result } from '../../engine/operator.ts'

/** Runs an operator with one input over plain values and returns the values of one of its outputs. */
export async function runOver<F extends Fields>(
  operator: Operator<F>,
  config: Config<F>,
  input: { port: string; values: readonly unknown[]; key?: string; seed?: number },
  output: string,
): Promise<unknown[]> {
  const items = input.values.map(value => itemOf(value, input.key ?? 'sample', input.seed ?? 1))
  const stream = operator.run({ [input.port]: from(items) }, config, plainContext)[output]
  if (!stream) throw new Error(`the operator has no output ${output}`)
  const values = stream.pipe(
    map((item: Item): unknown => item.value),
    toArray(),
  )
  return firstValueFrom(values)
}

function itemOf<T>(value: T, key: string, seed: number): Item<T> {
  const derive: Item['derive'] = (next, options) => itemOf(next, options?.key ?? key, seed)
  return { value, key, seed, bytes: 0, derive, release: () => {} }
}

/** Only what stateless operators use: leases, errors and resources are the engine's and tested there. */
export const plainContext: Context = {
  node: 'node',
  seed: 1,
  runDirectory: '.',
  parts: [],
  signal: new AbortController().signal,
  resource: () => unavailable('resource'),
  shared: () => unavailable('shared'),
  source: () => unavailable('source'),
  together: () => unavailable('together'),
  record: () => {},
  log: () => {},
  progress: () => {},
  expect: () => {},
  skippedItems: () => 0,
  manifest: () => {},
  gauge: () => {},
  inspect: () => {},
  checkpoint: () => {},
  partnerless: () => {},
  leaves: () => false,
  emit: (value, options) => {
    const emission = { ...options, value }
    emissions.add(emission)
    return emission
  },
  each<A, B>(work: (value: A, item: Item<A>) => Result<B> | Promise<Result<B>>) {
    const results = async (item: Item<A>): Promise<readonly Item<B>[]> => {
      const result = await work(item.value, item)
      const list = result === undefined ? [] : Array.isArray(result) ? result : [result]
      return list.map(one => (emissions.has(one) ? item.derive(one.value, one) : item.derive(one)))
    }
    return pipe(concatMap(results), mergeAll())
  },
}

/** What `emit` made, told from values that look like it. */
const emissions = new WeakSet<object>()

function unavailable(name: string): never {
  throw new Error(`the test context has no ${name}`)
}
