// npm run bench -- engine [--rounds N]: what the engine costs per item and node compared with bare RxJS and native async
// iterators. Every contender does the same: a source, three nodes that add one, and a sink that sums. The engine's time
// is that of the whole run: from the check of the graph's text to the summary, files of the run included, with edges,
// credits and options as they are by default. The contenders take turns, round by round; medians are compared.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { concatMap, from, lastValueFrom, of, reduce } from 'rxjs'
import { loadGraph } from '../../engine/graph/check.ts'
import { operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import { collectGarbage } from '../collect-garbage.ts'

const items = 100_000
const nodes = 5

const source = operator({
  summary: 'Counts.',
  config: { count: { type: 'integer', description: 'How far.' } },
  inputs: {},
  outputs: { numbers: 'number' },
  run: (_, { count }, context) => ({
    numbers: context.source(async function* () {
      for (let value = 0; value < count; value++) yield { key: value, value }
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

let sum = 0
let peakItems = 0

async function engine(count: number): Promise<number> {
  const chain = {
    source: { operator: 'source', config: { count } },
    a: { operator: 'plus', from: { numbers: 'source.numbers' } },
    b: { operator: 'plus', from: { numbers: 'a.numbers' } },
    c: { operator: 'plus', from: { numbers: 'b.numbers' } },
    sink: { operator: 'sink', from: { numbers: 'c.numbers' } },
  }
  const registry = { operators: { source, plus, sink }, resources: {} }
  const text = JSON.stringify({ version: 1, summary: 'A chain.', nodes: chain })
  const directory = mkdtempSync(join(tmpdir(), 'flow-bench-'))
  const plan = loadGraph('chain.json', registry, { read: () => text })
  sum = 0
  const summary = await startRun(plan, { seed: 0, directory }).done
  rmSync(directory, { recursive: true })
  if (summary.status !== 'completed' || summary.leaked > 0) throw summary.error ?? new Error(summary.status)
  peakItems = Math.max(peakItems, summary.peakItems)
  return sum
}

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

const expected = (items * (items - 1)) / 2 + 3 * items
// the last one is what starting and ending a run cost, whatever the number of items
const contenders = {
  iterators,
  rxjs,
  engine: () => engine(items),
  'engine, no items': async () => expected + (await engine(0)),
}
type Contender = keyof typeof contenders

/** Runs the contenders in turn and says what each takes. */
export async function engineLines(rounds: number): Promise<string[]> {
  // the keys are those of the contenders
  const names = Object.keys(contenders) as Contender[]
  const seconds: Record<Contender, number[]> = { iterators: [], rxjs: [], engine: [], 'engine, no items': [] }
  const heapMiB: number[] = []
  // the first rounds compile
  for (let round = -3; round < rounds; round++) {
    for (const name of names) {
      const begin = performance.now()
      if ((await contenders[name]()) !== expected) throw new Error(`${name}: wrong sum`)
      if (round >= 0) seconds[name].push((performance.now() - begin) / 1000)
    }
    // not between rounds: it would throw compiled code away too
    if (round === -1 || round === rounds - 1) {
      await collectGarbage()
      heapMiB.push(process.memoryUsage().heapUsed / 2 ** 20)
    }
  }
  const fastest = Math.min(median(seconds.iterators), median(seconds.rxjs))
  const running = median(seconds.engine) - median(seconds['engine, no items'])
  return [
    ...names.map(name => {
      const value = median(seconds[name])
      const range = `${Math.min(...seconds[name]).toFixed(3)} to ${Math.max(...seconds[name]).toFixed(3)}`
      const each = (value / items / nodes) * 1e6
      return `${name.padEnd(16)} ${value.toFixed(3)} s (${range}), ${each.toFixed(2)} µs an item and node`
    }),
    `engine over the faster one: ${(median(seconds.engine) / fastest).toFixed(2)}, without start and end of the run ${(running / fastest).toFixed(2)} (medians of ${rounds})`,
    `engine: at most ${peakItems} items alive; heap before the rounds and after them ${heapMiB.map(mib => mib.toFixed(1)).join(', ')} MiB`,
  ]
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
