/** What an item carries through a random graph: where it came from and which way it went. */
export interface Token {
  source: string
  index: number
  /** Nodes on its way. */
  route: string
  /** Index at the source, then of the copy at each node that copies: increases along a route that keeps order. */
  order: readonly number[]
}

export interface Value {
  tokens: readonly Token[]
  batched: boolean
}

export type Fault = 'none' | 'leak' | 'loss' | 'double' | 'swap'
type Kind = 'each' | 'plain' | 'delay' | 'batch' | 'unordered'

export interface Step {
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
  /** After this number of items at the sinks the run is stopped or aborted. */
  interrupt: { after: number; by: 'nothing' | 'stop' | 'abort' }
  fault: Fault
}

export type Random = () => number

export const pickOf = <T>(list: readonly T[], random: Random): T => list[Math.floor(random() * list.length)]

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
export const outputsOf = (step: Step, token: Token): Token[] => {
  const copies = step.copies === 1 ? 1 : hash(token, step) % 3 === 0 ? 0 : Math.max(1, step.copies)
  const route = `${token.route}>${step.name}${step.kind === 'unordered' ? '?' : ''}`
  return Array.from({ length: copies }, (_, i) => ({ ...token, route, order: [...token.order, i] }))
}

export const fails = (step: Step, { tokens, batched }: Value): boolean =>
  step.kind === 'each' && step.failing !== 'never' && !batched && hash(tokens[0], step) % 7 === 0

export const hash = ({ index, route }: Token, { name }: Step): number =>
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
          outputsOf(step, token).map(one => ({ tokens: [one], batched: batched || value.batched })),
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
    // the items on its edges, its inputs at work, and its results
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
