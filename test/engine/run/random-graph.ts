import { bufferCount, concatMap, from, map, mergeMap, type Observable } from 'rxjs'
import type { Registry } from '../../../engine/graph/plan.ts'
import { type Context, type Item, operator } from '../../../engine/operator.ts'
import { Lease } from '../../../engine/run/items/lease.ts'
import { turn } from '../support.ts'

/** What an item carries through a random graph: where it came from and which way it went. */
export interface Token {
  source: string
  index: number
  /** Nodes on its way. */
  route: string
  /** Index at the source, then of the copy at each node that copies: increases along a route that keeps order. */
  order: readonly number[]
}

interface Value {
  tokens: readonly Token[]
  batched: boolean
}

export type Fault = 'none' | 'leak' | 'loss' | 'double' | 'swap'
type Kind = 'each' | 'plain' | 'delay' | 'batch' | 'unordered'

interface Step {
  name: string
  kind: Kind
  /** Names of the nodes that feed it. */
  from: readonly string[]
  /** Concurrency of `each`, size of a batch, credits of RxJS operators. */
  size: number
  copies: number
  keep: boolean
  failing: 'never' | 'skip' | 'retry' | 'stop'
  capacity: number
  whenFull: 'block' | 'drop-oldest'
}

interface Source {
  name: string
  count: number
  bytes: number
}

/** A graph drawn from a seed, and how it is disturbed. */
export interface RandomGraph {
  sources: readonly Source[]
  steps: readonly Step[]
  sinks: readonly string[]
  /** After so many items at the sinks the run is stopped or aborted. */
  interrupt: { after: number; by: 'nothing' | 'stop' | 'abort' }
  fault: Fault
}

export type Random = () => number

/** Uniform numbers from 0 to 1 by a seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One to three sources, one to seven nodes that each take one or more of what is before them, a sink for every end. */
export function randomGraph(random: Random, fault: Fault = 'none'): RandomGraph {
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
  const pick = <T>(...choices: T[]): T => choices[whole(0, choices.length - 1)]
  const often = random() < 0.1 ? 250 : 25
  const sources = Array.from({ length: whole(1, 3) }, (_, i) => ({
    name: `s${i}`,
    count: whole(fault === 'none' ? 0 : 12, often),
    bytes: whole(0, 9),
  }))
  const names = sources.map(({ name }) => name)
  const steps = Array.from({ length: whole(1, 7) }, (_, i): Step => {
    const count = random() < 0.3 ? Math.min(whole(2, 3), names.length) : 1
    // mostly the newest, so that chains are as frequent as fans
    const inputs = new Set([random() < 0.6 ? names[names.length - 1] : pick(...names)])
    while (inputs.size < count) inputs.add(pick(...names))
    // nothing else may hide what the fault does
    const calm = fault !== 'none'
    names.push(`n${i}`)
    return {
      name: `n${i}`,
      kind: pick('each', 'each', 'plain', 'delay', 'batch', ...(calm ? [] : (['unordered'] as const))),
      from: [...inputs],
      size: calm ? 4 : whole(1, 4),
      copies: calm ? 1 : pick(0, 1, 1, 2),
      keep: random() < 0.7,
      failing: calm
        ? 'never'
        : pick('never', 'never', 'never', 'skip', 'retry', random() < 0.2 ? 'stop' : 'never'),
      capacity: whole(1, 5),
      whenFull: !calm && random() < 0.05 ? 'drop-oldest' : 'block',
    }
  })
  const used = new Set(steps.flatMap(step => step.from))
  const sinks = names.filter(name => !used.has(name))
  const by = fault === 'none' && random() < 0.25 ? pick('stop', 'abort') : 'nothing'
  return { sources, steps, sinks, interrupt: { after: whole(0, 30), by }, fault }
}

/** What one node makes of one token. The first copy of every third token is dropped when a node makes none or two. */
const made = (step: Step, token: Token): Token[] => {
  const copies = step.copies === 1 ? 1 : hash(token, step) % 3 === 0 ? 0 : Math.max(1, step.copies)
  const route = `${token.route}>${step.name}${step.kind === 'unordered' ? '?' : ''}`
  return Array.from({ length: copies }, (_, i) => ({ ...token, route, order: [...token.order, i] }))
}

const fails = (step: Step, { tokens, batched }: Value): boolean =>
  step.kind === 'each' && step.failing !== 'never' && !batched && hash(tokens[0], step) % 7 === 0

const hash = ({ index, route }: Token, { name }: Step): number =>
  (index * 7919 + route.length * 31 + name.charCodeAt(1)) >>> 0

/** All that the sinks must see when nothing fails to get there. */
export function expectedAt({ sources, steps, sinks }: RandomGraph): Map<string, Token[]> {
  const at = new Map<string, Value[]>()
  for (const { name, count } of sources) {
    const first = Array.from({ length: count }, (_, index) => ({
      source: name,
      index,
      route: name,
      order: [index],
    }))
    at.set(
      name,
      first.map(token => ({ tokens: [token], batched: false })),
    )
  }
  for (const step of steps) {
    const arriving = step.from.flatMap(name => at.get(name) ?? [])
    const kept = arriving.filter(value => !(fails(step, value) && step.failing !== 'retry'))
    const batched = step.kind === 'batch'
    at.set(
      step.name,
      kept.flatMap(value =>
        value.tokens.flatMap(token =>
          made(step, token).map(one => ({ tokens: [one], batched: batched || value.batched })),
        ),
      ),
    )
  }
  return new Map(sinks.map(name => [name, (at.get(name) ?? []).flatMap(({ tokens }) => tokens)]))
}

/** Values that may be alive at once, whatever the number of items: by capacities, credits and what items keep. */
export function liveBound({ sources, steps, sinks }: RandomGraph): number {
  const weight = new Map<string, number>(sources.map(({ name }) => [name, 1]))
  // a source holds what it emits, and one more that it has found
  let bound = sources.length * 5
  for (const step of steps) {
    const before = Math.max(...step.from.map(name => weight.get(name) ?? 1))
    const parents = step.kind === 'batch' ? step.size * before : before
    weight.set(step.name, 1 + (step.keep || step.kind !== 'each' ? parents : 0))
    // its edges, what was handed to it, what it made of that
    bound += step.from.length * step.capacity * before + step.size * before
    bound += step.size * Math.max(1, step.copies) * (weight.get(step.name) ?? 1)
  }
  for (const name of sinks) bound += 5 * (weight.get(name) ?? 1)
  return bound
}

/** The graph as a file's nodes. */
export function nodesOf({ sources, steps, sinks, fault }: RandomGraph): Record<string, unknown> {
  const nodes: Record<string, unknown> = {}
  for (const { name, count, bytes } of sources) nodes[name] = { operator: 'source', config: { count, bytes } }
  const faulty = steps.findIndex(step => step.kind !== 'batch')
  steps.forEach((step, i) => {
    const { name, kind, from, capacity, whenFull, failing } = step
    nodes[name] = {
      operator: kind === 'unordered' ? 'unordered' : 'step',
      config: { step, fault: i === faulty ? fault : 'none' },
      from: {
        values: from.map(name => ({ edge: `${name}.values`, capacity: { items: capacity }, whenFull })),
      },
      ...(failing === 'skip' && { onError: 'skip' }),
      ...(failing === 'retry' && { onError: { retry: 2 } }),
    }
  })
  for (const name of sinks) nodes[`${name}-end`] = { operator: 'end', from: { values: `${name}.values` } }
  return nodes
}

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
    const tokens = value.tokens.flatMap(token => made(step, token))
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
