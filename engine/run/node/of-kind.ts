import { filter } from 'rxjs'
import type { PlannedNode } from '../../graph/plan.ts'
import type { Item, Streams } from '../../operator.ts'
import { CodedError } from '../../shared/errors.ts'
import type { Host } from './host.ts'

class KindError extends CodedError<'wrong-kind'> {
  override readonly remedy =
    'make the fields that are missing with stream.map, whose "keep": true keeps the others, or mend the row'
}

/** The streams without the items that are not of the kind of their input: those have failed. */
export function ofKind(
  streams: Streams,
  { accepts = {}, wires }: Pick<PlannedNode, 'accepts' | 'wires'>,
  host: Pick<Host, 'failed'>,
): Streams {
  const entries = Object.entries(streams).map(([port, stream]) => {
    const check = accepts[port]
    if (!check) return [port, stream]
    const from = wires.filter(wire => wire.port === port).map(wire => `"${wire.from.node}"`)
    const isOfKind = (item: Item) => {
      const fault = check(item.value)
      if (fault === undefined) return true
      host.failed(new KindError('wrong-kind', `${fault}; it came from ${from.join(' or ')}`), item)
      item.release()
      return false
    }
    return [port, stream.pipe(filter(isOfKind))]
  })
  return Object.fromEntries(entries)
}
