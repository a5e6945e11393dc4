import { bufferCount, concatMap, from, map, mergeMap, type Observable } from 'rxjs'
import type { Registry } from '../../../engine/graph/plan.ts'
import { type Context, type Item, operator } from '../../../engine/operator.ts'
import { Lease } from '../../../engine/run/items/lease.ts'
import { turn } from '../support.ts'
import { fails, outputsOf, type Random, type Step, type Token, type Value } from './random-graph.ts'

/** What the operators of random graphs use of the case at hand. */
export interface Case {
  /** Decides how long anything takes. */
  random: Random
  seen(sink: string, tokens: readonly Token[]): void
  /** Makes a buffer; returns what frees it. */
  buffer(): () => void
}

/** The operators of random graphs, made once: compiling their schemas takes longer than most cases. */
export function operatorsOf(current: () => Case): Registry {
  const made = () => current().buffer()
  /** Nothing, a promise, or some turns of the event loop. */
  const pause = (): Promise<void> | undefined => {
    const { random } = current()
    const draw = random()
    return draw < 0.5 ? undefined : draw < 0.8 ? Promise.resolve() : turns(1 + Math.floor(random() * 3))
  }
  const source = operator({
    summary: 'Counts.',
    config: {
      count: { type: 'integer', description: 'How many.' },
      bytes: { type: 'integer', description: 'Of each.' },
    },
    inputs: {},
    outputs: { values: 'value' },
    run: (_, { count, bytes }, context) => ({
      values: context.source(async function* () {
        for (let index = 0; index < count; index++) {
          await pause()
          const token = { source: context.node, index, route: context.node, order: [index] }
          yield { key: `${index}`, value: { tokens: [token], batched: false }, bytes, dispose: made() }
        }
      }),
    }),
  })
  const config = {
    step: { type: 'object', description: 'What it does.' },
    fault: { type: 'string', description: 'What it does wrong.' },
  } as const
  // the generator wrote the config: it is a step
  const stepOf = (config: { step: unknown }) => config.step as Step
  const step = operator({
    summary: 'Does what a step says.',
    config,
    inputs: { values: 'value' },
    outputs: { values: 'value' },
    credits: config => stepOf(config).size,
    run: ({ values }, config, context) => ({
      values: values.pipe(wrong(config.fault), behaviour(stepOf(config), context, pause, made)),
    }),
  })
  const end = operator({
    summary: 'Tells what comes.',
    config: {},
    inputs: { values: 'value' },
    outputs: {},
    run: ({ values }, _, context) => ({
      seen: values.pipe(
        context.each((value: Value) => {
          current().seen(context.node.slice(0, -'-end'.length), value.tokens)
          const wait = pause()
          return wait?.then(() => undefined)
        }),
      ),
    }),
  })
  return { operators: { source, step, unordered: { ...step, unordered: true }, end }, resources: {} }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

function behaviour(
  step: Step,
  context: Context,
  pause: () => Promise<void> | undefined,
  buffer: () => () => void,
) {
  const failures = new Map<string, number>()
  const results = (value: Value) => {
    const tokens = value.tokens.flatMap(token => outputsOf(step, token))
    const batched = value.batched || step.kind === 'batch'
    return batched
      ? tokens.length > 0
        ? [{ tokens, batched }]
        : []
      : tokens.map(one => ({ tokens: [one], batched }))
  }
  const derived = (item: Item<Value>) => {
    const children = results(item.value).map(value => item.derive(value, { dispose: buffer() }))
    item.release()
    return children
  }
  const work = (value: Value) => {
    if (fails(step, value)) {
      const { route, order } = value.tokens[0]
      const before = failures.get(`${route} ${order}`) ?? 0
      failures.set(`${route} ${order}`, before + 1)
      if (step.failing !== 'retry' || before < 2) throw new Error('boom')
    }
    return results(value).map(result => context.emit(result, { dispose: buffer() }))
  }
  const each = () =>
    context.each(
      (value: Value) => {
        const wait = pause()
        return wait ? wait.then(() => work(value)) : work(value)
      },
      { concurrency: step.size, keep: step.keep },
    )
  const batch = (items: Item<Value>[]) => {
    const [first, ...parents] = items
    const tokens = items.flatMap(({ value }) => results(value).flatMap(({ tokens }) => tokens))
    const list =
      tokens.length > 0 ? [first.derive({ tokens, batched: true }, { parents, dispose: buffer() })] : []
    for (const item of items) item.release()
    return list
  }
  const later = (item: Item<Value>) => from(pause() ?? Promise.resolve()).pipe(map(() => item))
  if (step.kind === 'each') return each()
  const pipe = (items: Observable<Item<Value>>) => {
    if (step.kind === 'plain') return items.pipe(concatMap(derived))
    if (step.kind === 'batch') return items.pipe(bufferCount(step.size), concatMap(batch))
    const wait = step.kind === 'delay' ? concatMap(later) : mergeMap(later)
    return items.pipe(wait, concatMap(derived))
  }
  return pipe
}

/** Breaks the contract of the engine, once: what the checks of a random run must notice. */
const wrong = (fault: string) => (items: Observable<Item<Value>>) => {
  if (fault === 'none') return items
  let count = 0
  let held: Item<Value> | undefined
  return items.pipe(
    concatMap(item => {
      count++
      if (fault === 'leak' && count === 3 && item instanceof Lease) item.fork().moveTo(undefined)
      if (fault === 'loss' && count === 3) {
        item.release()
        return []
      }
      if (fault === 'double' && count === 3) return [item.derive(item.value), item]
      if (fault === 'swap' && count === 3) {
        held = item
        return []
      }
      if (held && held.value.tokens[0].route === item.value.tokens[0].route) {
        const first = held
        held = undefined
        return [item, first]
      }
      return [item]
    }),
  )
}
