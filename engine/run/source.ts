import { Observable } from 'rxjs'
import type { Item, SourceItem } from '../operator.ts'
import type { Host } from './host.ts'

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

    const advance = () => {
      if (stopped || pulling || outstanding >= host.credits) return
      if (!found) {
        if (host.hasRoom(0)) next()
      } else if ((cursor?.allowance ?? 1) > 0 && host.hasRoom(found.bytes ?? 0)) {
        const { value, ...options } = found
        found = undefined
        outstanding++
        if (cursor) cursor.allowance--
        const onLeave = () => {
          outstanding--
          host.wake()
        }
        subscriber.next(host.root(value, options, acknowledge).moveTo(host, onLeave))
        host.wake()
      }
    }
    /** The next item that was not done before the run was resumed. */
    const pullNew = async (): Promise<IteratorResult<SourceItem<T>>> => {
      for (;;) {
        const result = await iterator.next()
        if (!cursor) return result
        if (result.done) {
          cursor.end()
          return result
        }
        const position = cursor.find(result.value.key)
        acknowledge = () => {
          if (position !== undefined) cursor.acknowledge(position)
        }
        if (position !== undefined) return result
        result.value.dispose?.()
        if (stopped) return { done: true, value: undefined }
      }
    }
    const next = () => {
      pulling = true
      host.begin()
      settle(pullNew, result => {
        pulling = false
        if (stopped) {
          if (!result.done) result.value.dispose?.()
        } else if (result.done) {
          stopped = true
          subscriber.complete()
        } else {
          found = result.value
          host.wake()
        }
      })
    }
    /** Ends the iterator too, so that it can close what it opened; a pull under way is waited for. */
    const stop = () => {
      if (stopped) return
      stopped = true
      found?.dispose?.()
      found = undefined
      host.begin()
      settle(
        async () => iterator.return?.(),
        () => {},
      )
      subscriber.complete()
    }
    const settle = <R>(begin: () => Promise<R>, then: (result: R) => void) => {
      begin()
        .then(then)
        .catch(error => {
          stopped = true
          if (!host.signal.aborted) host.fail(error)
        })
        .finally(() => host.end())
    }
    host.addSource({ advance, stop })
    host.wake()
    return stop
  })
}
