// Prints what the engine costs per item and node beside bare RxJS and native async iterators:
// node --expose-gc --import tsx test/bench/engine.ts [items] [rounds] [contender]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { concatMap, from, lastValueFrom, of, reduce } from 'rxjs'
import { loadGraph } from '../../engine/graph/check.ts'
import { operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'

const [items = 100_000, rounds = 7] = process.argv.slice(2, 4).map(Number)
const only = process.argv.at(4)
/** A source, three nodes that add one, and a sink that sums: the same for every contender. */
const nodes = 5
const expected = (items * (items - 1)) / 2 + 3 * items

async function* count() {
  for (let value = 0; value < items; value++) yield value
}

async function* addOne(input: AsyncIterable<number>) {
  for await (const value of input) yield value + 1
}

async function iterators(): Promise<number> {
  let sum = 0
  for await (const value of addOne(addOne(addOne(count())))) sum += value
  return sum
}

function rxjs(): Promise<number> {
  const plus = concatMap((value: number) => of(value + 1))
  return lastValueFrom(
    from(count()).pipe(
      plus,
      plus,
      plus,
      reduce((sum, value) => sum + value, 0),
    ),
  )
}

async function engine(items: number): Promise<number> {
  let sum = 0
  const source = operator({
    summary: 'Counts.',
    config: {},
    inputs: {},
    outputs: { numbers: 'number' },
    run: (_, __, context) => ({
      numbers: context.source(async function* () {
        for (let value = 0; value < items; value++) yield { key: String(value), value }
      }),
    }),
  })
  const plus = operator({
    summary: 'Adds one.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, _, context) => ({ numbers: numbers.pipe(context.each((value: number) => value + 1)) }),
  })
  const sink = operator({
    summary: 'Sums.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: {},
    run: ({ numbers }, _, context) => ({
      done: numbers.pipe(
        context.each((value: number) => {
          sum += value
          return undefined
        }),
      ),
    }),
  })
  const chain = {
    source: { operator: 'source' },
    a: { operator: 'plus', from: { numbers: 'source.numbers' } },
    b: { operator: 'plus', from: { numbers: 'a.numbers' } },
    c: { operator: 'plus', from: { numbers: 'b.numbers' } },
    sink: { operator: 'sink', from: { numbers: 'c.numbers' } },
  }
  const registry = { operators: { source, plus, sink }, resources: {} }
  const text = JSON.stringify({ version: 1, summary: 'A chain.', nodes: chain })
  const directory = mkdtempSync(join(tmpdir(), 'flow-bench-'))
  const plan = loadGraph('chain.json', registry, { read: () => text })
  const { status, error, leaked, peakItems } = await startRun(plan, { seed: 0, directory }).done
  rmSync(directory, { recursive: true })
  if (status !== 'completed' || leaked > 0) throw error ?? new Error(status)
  peak = Math.max(peak, peakItems)
  return sum
}

let peak = 0
// starting and ending a run costs the same for any number of items: the git state, the check, the manifest
const contenders: Record<string, () => Promise<number>> = {
  iterators,
  rxjs,
  engine: () => engine(items),
  'no items': async () => expected + (await engine(0)),
}
const names = Object.keys(contenders).filter(name => only === undefined || name === only)
const seconds: Record<string, number[]> = Object.fromEntries(names.map(name => [name, []]))
const heap: number[] = []
for (let round = 0; round <= rounds; round++) {
  for (const name of names) {
    const begin = performance.now()
    if ((await contenders[name]()) !== expected) throw new Error(`${name}: wrong sum`)
    // the first round compiles
    if (round > 0) seconds[name].push((performance.now() - begin) / 1000)
  }
  if (globalThis.gc) globalThis.gc()
  heap.push(process.memoryUsage().heapUsed / 2 ** 20)
}
const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
const medians = Object.fromEntries(Object.entries(seconds).map(([name, list]) => [name, median(list)]))
for (const [name, value] of Object.entries(medians)) {
  const each = (value / items / nodes) * 1e6
  const range = `${Math.min(...seconds[name]).toFixed(3)} to ${Math.max(...seconds[name]).toFixed(3)}`
  console.log(`${name.padEnd(9)} ${value.toFixed(3)} s (${range}), ${each.toFixed(2)} µs an item and node`)
}
const fastest = Math.min(medians.iterators, medians.rxjs)
const whole = (medians.engine / fastest).toFixed(2)
const running = ((medians.engine - medians['no items']) / fastest).toFixed(2)
console.log(`engine over the faster one: ${running}, with start and end of the run ${whole}`)
console.log(`engine: at most ${peak} items alive; heap ${heap.map(mib => mib.toFixed(1)).join(' ')} MiB`)
