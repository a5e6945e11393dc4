import { concatMap, firstValueFrom, from, map, toArray } from 'rxjs'
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
  return { value, key, seed, derive, release: () => {} }
}

/** Only what stateless operators use: leases, errors and resources are the engine's and tested there. */
const plainContext: Context = {
  node: 'node',
  seed: 1,
  runDirectory: '.',
  signal: new AbortController().signal,
  resource: () => unavailable('resource'),
  shared: () => unavailable('shared'),
  source: () => unavailable('source'),
  record: () => {},
  log: () => {},
  progress: () => {},
  manifest: () => {},
  emit: (value, options) => ({ ...options, value }),
  each<A, B>(work: (value: A, item: Item<A>) => Result<B> | Promise<Result<B>>) {
    // The cast holds for operators whose work returns one plain value for each item.
    return concatMap(async (item: Item<A>) => item.derive((await work(item.value, item)) as B))
  },
}

function unavailable(name: string): never {
  throw new Error(`the test context has no ${name}`)
}
