import { Observable } from 'rxjs'
import type { Item, SourceItem } from '../operator.ts'
import type { Host } from './host.ts'
import type { Leaver } from './ledger.ts'

/** The stream behind `Context.source`: see its description in operator.ts. */
export function source<T>(host: Host, pull: () => AsyncIterable<SourceItem<T>>): Observable<Item<T>> {
  return new Observable(subscriber => {
    const iterator = pull()[Symbol.asyncIterator]()
    const cursor = host.cursor()
    let found: SourceItem<T> | undefined
    let acknowledge: (() => void) | undefined
    let pulling = false
    let stopped = false
    let outstanding = 0
    let emitting = false
    const leaver: Leaver = {
      left: () => {
        outstanding--
        if (!emitting) host.wake()
      },
    }

    const advance = () => {
      if (stopped || pulling || outstanding >= host.credits) return
      if (found) {
        if (!host.hasRoom(found.bytes ?? 0) || (cursor && cursor.allowance <= 0)) return
        const one = found
        found = undefined
        outstanding++
        if (cursor) cursor.allowance--
        emitting = true
        subscriber.next(host.root(one.value, one, acknowledge).moveTo(host, leaver))
        emitting = false
      }
      // it may have stopped, or the edge may have filled, by what was emitted
      if (!stopped && outstanding < host.credits && host.hasRoom(0)) next()
    }
    const next = () => {
      pulling = true
      host.begin()
      try {
        iterator.next().then(pulled, failed)
      } catch (error) {
        failed(error)
      }
    }
    const pulled = (result: IteratorResult<SourceItem<T>>) => {
      pulling = false
      try {
        if (stopped) {
          if (!result.done) discard(result.value)
        } else if (result.done) {
          cursor?.end()
          stopped = true
          subscriber.complete()
        } else if (isNew(result.value)) {
          found = result.value
          host.wakeNow()
        } else {
          discard(result.value)
          next()
        }
      } catch (error) {
        stopped = true
        host.fail(error)
      }
      host.end()
    }
    /** Whether the item was not done before the run was resumed. */
    const isNew = ({ key }: SourceItem<T>): boolean => {
      if (!cursor) return true
      const position = cursor.find(key)
      if (position === undefined) return false
      acknowledge = () => cursor.acknowledge(position)
      return true
    }
    const discard = (item: SourceItem<T>) => {
      try {
        item.dispose?.()
      } catch (error) {
        host.fail(error)
      }
    }
    const failed = (error: unknown) => {
      pulling = false
      stopped = true
      if (!host.signal.aborted) host.fail(error)
      host.end()
    }
    /** Ends the iterator too, so that it can close what it opened; a pull under way is waited for. */
    const stop = () => {
      if (stopped) return
      stopped = true
      if (found) discard(found)
      found = undefined
      host.begin()
      const end = async () => iterator.return?.()
      end().then(() => host.end(), failed)
      subscriber.complete()
    }
    host.addSource({ advance, stop })
    host.wake()
    return stop
  })
}
