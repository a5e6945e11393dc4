import type { SourceItem } from '../operator.ts'
import type { PlannedNode } from './plan.ts'

export type Followed = SourceItem<unknown, string | number>

/** An item that a node on the way cannot make something of. */
export class UnmadeItem extends Error {
  readonly node: PlannedNode

  constructor(node: PlannedNode, { place }: Followed, cause: unknown) {
    super(place ?? '', { cause })
    this.node = node
  }
}

/** Items that a check follows from one source. */
const most = 10_000

/**
 * The items that reach an input, as far as their source can be read and they can be made without running: in `flow check`.
 * Undefined where they cannot.
 */
export async function itemsAt(
  { wires }: PlannedNode,
  port: string,
  byName: ReadonlyMap<string, PlannedNode>,
): Promise<Followed[] | undefined> {
  const [wire, other] = wires.filter(one => one.port === port)
  const before = wire && byName.get(wire.from.node)
  if (!before || other || wire.initial !== undefined) return undefined
  const { operator, config } = before
  if (operator.preview) return firstOf(operator.preview(config))
  const [input, second] = Object.keys(operator.inputs)
  if (!operator.pure || input === undefined || second !== undefined) return undefined
  const items = await itemsAt(before, input, byName)
  return items && madeOf(before, items)
}

/** What a node that is `pure` makes of items. */
export async function madeOf(node: PlannedNode, items: readonly Followed[]): Promise<Followed[]> {
  const make = node.operator.pure?.(node.config)
  if (!make) return []
  const made: Followed[] = []
  for (const item of items) {
    try {
      const value = await make(item.value, { key: String(item.key) })
      if (value !== undefined) made.push({ ...item, value })
    } catch (error) {
      throw new UnmadeItem(node, item, error)
    }
  }
  return made
}

async function firstOf(items: AsyncIterable<Followed>): Promise<Followed[]> {
  const list: Followed[] = []
  for await (const item of items) {
    list.push(item)
    if (list.length === most) break
  }
  return list
}
