// A part as a node of the home part: each item goes to a worker, and what comes back descends from it. So leases, order,
// checkpoints, gates and dead letters of the home part mean what they mean in one process.
import { filter, ignoreElements, merge, share, tap } from 'rxjs'
import type { Context, Item, Operator } from '../operator.ts'
import { RunError } from '../run/error.ts'
import { type Lease, leaseOf } from '../run/items/lease.ts'
import type { Skipped } from '../run/items/trace.ts'
import { Ticket } from '../run/node/edge.ts'
import { CodedError } from '../shared/errors.ts'
import type { Unpacked, WireContext } from '../wire-form.ts'
import type { Copies } from './copies.ts'
import type { CutEnd, CutPart } from './cut.ts'
import { decode } from './message.ts'
import type { Order, Outcome } from './names.ts'
import { decodeReply, encodeOrder } from './packing.ts'

/** What the node of a part needs of the process around it. */
export interface RemoteHost {
  /** Sends an order to the workers of a part and waits for the reply. */
  call(part: string, id: string, bytes: Uint8Array): Promise<Uint8Array>
  /** Keeps what a worker has skipped in the dead letters. */
  bury(fault: Skipped, item: Lease): void
  /** The opened resource that a name means in a scope. */
  resource(name: string, scope: string): unknown
  /** See `WireContext`. */
  readonly nearby?: string
}

/** What arrived at an output of the part. */
interface Arrived {
  readonly end: string
  readonly unpacked: Unpacked<unknown>
}

export function remoteRun(cut: CutPart, host: () => RemoteHost, copies: Copies): Operator['run'] {
  return (inputs, _, context) => {
    const newest = new Map<string, unknown>()
    let count = 0
    const latest = cut.inputs.filter(({ latest }) => latest)
    const follow = latest.map(({ end }) =>
      streamOf(inputs, end).pipe(
        tap(({ value }: Item) => {
          newest.set(end, value)
          copies.take(value)
        }),
        ignoreElements(),
      ),
    )
    const send = async (input: CutEnd, value: unknown, item: Item): Promise<Outcome[]> => {
      const lease = leaseOf(item)
      const id = `${++count}`
      const pinned = latest.map(({ end }) => [end, pinnedTo(lease, cut.name, end, newest)] as const)
      const versions = await Promise.all(
        pinned.map(async ([end, value]) => [end, await versionOf(value, copies)] as const),
      )
      for (const [, value] of pinned) copies.hold(value, id)
      try {
        const about: Omit<Order, 'value'> = {
          id,
          port: input.end,
          key: item.key,
          source: lease.source,
          latest: Object.fromEntries(versions),
        }
        const bytes = encodeOrder(about, await input.form.pack(value, wireContext(input, host(), context)))
        const { reply, outcomes } = decodeReply(await host().call(cut.name, id, bytes))
        for (const fault of reply.faults) host().bury(fault, lease)
        if (reply.isLeft) context.leaves(item)
        if (reply.error)
          throw new CodedError(reply.error.code, `${reply.error.message} (worker ${reply.worker})`)
        return outcomes
      } finally {
        copies.release(id)
      }
    }
    const arrive = (input: CutEnd) =>
      streamOf(inputs, input.end).pipe(
        context.each(
          async (value: unknown, item: Item) => {
            const outcomes = await send(input, value, item)
            const arrived = await unpackAll(outcomes, cut, host(), context)
            return arrived.map(({ key, ...one }) =>
              context.emit<Arrived>(one, { key, keep: false, ...disposing(one.unpacked) }),
            )
          },
          { concurrency: cut.credits, keep: false },
        ),
      )
    const all = merge(...cut.inputs.filter(({ latest }) => !latest).map(arrive)).pipe(share())
    const outputs = cut.outputs.map(({ end }) => [
      end,
      all.pipe(
        filter(({ value }: Item<Arrived>) => value.end === end),
        context.each(({ unpacked }: Arrived) => context.emit(unpacked.value, { bytes: unpacked.bytes ?? 0 })),
      ),
    ])
    return {
      ...Object.fromEntries(outputs),
      ...(follow.length > 0 && { following: merge(...follow) }),
      ...(outputs.length === 0 && { done: all }),
    }
  }
}

const disposing = ({ dispose }: Unpacked<unknown>) => (dispose ? { dispose } : {})

function streamOf(inputs: Readonly<Record<string, unknown>>, end: string) {
  // the cut made one port for each of its ends
  return inputs[end] as ReturnType<Context['source']>
}

/** The value that an item is worked on with: that of the gate which it passed, else the newest one. */
function pinnedTo(
  { traces }: Lease,
  part: string,
  end: string,
  newest: ReadonlyMap<string, unknown>,
): unknown {
  const ticket = traces.find(trace => trace instanceof Ticket && trace.edge.end === `${part}.${end}`)
  return ticket instanceof Ticket ? ticket.pinned : newest.get(end)
}

async function versionOf(value: unknown, copies: Copies): Promise<Order['latest'][string]> {
  if (!copies.any || value === undefined) return { value }
  return { value, version: await copies.version(value) }
}

/** Makes the values of a reply; when one cannot be made, those before it are freed. */
async function unpackAll(outcomes: readonly Outcome[], cut: CutPart, host: RemoteHost, context: Context) {
  const made: (Arrived & { key: string })[] = []
  try {
    for (const { port, key, bytes } of outcomes) {
      const output = cut.outputs.find(({ end }) => end === port)
      if (!output)
        throw new RunError('operator-misused', `a worker sent an item for "${port}", which is no output`)
      const unpacked = await output.form.unpack(decode(bytes), wireContext(output, host, context))
      made.push({ end: port, key, unpacked })
    }
    return made
  } catch (error) {
    for (const { unpacked } of made) unpacked.dispose?.()
    throw error
  }
}

/** What a form may use here: resources as the node inside the part finds them. */
export function wireContext(
  { scope }: Pick<CutEnd, 'scope'>,
  host: Pick<RemoteHost, 'resource' | 'nearby'>,
  context: Context,
): WireContext {
  return {
    signal: context.signal,
    ...(host.nearby !== undefined && { nearby: host.nearby }),
    // the form states the type of the resource's kind
    resource: <T>(name: string) => host.resource(name, scope) as T,
    shared: (key, open, close) => context.shared(key, open, close),
  }
}
