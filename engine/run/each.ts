import { Observable, type OperatorFunction } from 'rxjs'
import type { DeriveOptions, EachOptions, Emission, Item, Result } from '../operator.ts'
import type { Host } from './host.ts'
import type { Lease } from './ledger.ts'

/** One input on its way through `each`. */
interface Job<A, B> {
  item: Item<A>
  /** What is left to emit; undefined while the work goes on. */
  results?: Lease<B>[]
}

/** The operator behind `Context.each`: see its description in operator.ts. */
export function each<A, B>(
  host: Host,
  work: (value: A, item: Item<A>) => Result<B> | Promise<Result<B>>,
  { concurrency = 1, keep = true }: EachOptions = {},
): OperatorFunction<Item<A>, Item<B>> {
  return items =>
    new Observable(subscriber => {
      const jobs: Job<A, B>[] = []
      let started = 0
      let sourceDone = false
      let emitting = false

      const advance = () => {
        while (started < Math.min(concurrency, jobs.length)) attempt(jobs[started++], host.retries)
        emit()
      }
      const attempt = (job: Job<A, B>, left: number) => {
        host.begin()
        const succeeded = (result: Result<B>) => finish(job, () => leasesOf(result, job.item, keep))
        const failed = (error: unknown) => {
          if (left === 0 || host.signal.aborted) return finish(job, () => fail(error, job.item))
          host.end()
          attempt(job, left - 1)
        }
        try {
          const result = work(job.item.value, job.item)
          if (isPromise(result)) result.then(succeeded, failed)
          else succeeded(result)
        } catch (error) {
          failed(error)
        }
      }
      const fail = (error: unknown, item: Item<A>): Lease<B>[] => {
        host.failed(error, item)
        return []
      }
      const finish = (job: Job<A, B>, results: () => Lease<B>[]) => {
        try {
          job.results = results()
        } catch (error) {
          job.results = []
          host.fail(error)
        }
        host.end()
        if (subscriber.closed) drop(job)
        else emit()
      }
      /** Emits in the order of the input, waiting for room before each item. */
      const emit = () => {
        if (emitting || subscriber.closed) return
        emitting = true
        for (let [job] = jobs; job?.results; [job] = jobs) {
          const [next] = job.results
          if (next) {
            if (!host.hasRoom(next.bytes)) {
              emitting = false
              return host.whenRoom(emit)
            }
            job.results.shift()
            subscriber.next(next)
          } else {
            jobs.shift()
            started--
            job.item.release()
          }
          if (subscriber.closed) break
        }
        emitting = false
        if (subscriber.closed) return
        if (sourceDone && jobs.length === 0) subscriber.complete()
        else if (started < Math.min(concurrency, jobs.length)) advance()
      }
      /** The node is ending: what the work made after all is not wanted. */
      const drop = (job: Job<A, B>) => {
        for (const lease of job.results ?? []) if (lease.open) lease.release()
      }
      const subscription = items.subscribe({
        next: item => {
          jobs.push({ item })
          advance()
        },
        error: error => subscriber.error(error),
        complete: () => {
          sourceDone = true
          emit()
        },
      })
      return () => subscription.unsubscribe()
    })
}

const emissions = new WeakSet<object>()

/** Marks a value with options, so that `each` can tell it from a value that happens to look like one. */
export function emission<T>(value: T, options: DeriveOptions = {}): Emission<T> {
  const made = { ...options, value }
  emissions.add(made)
  return made
}

function leasesOf<B>(result: Result<B>, item: Item, keep: boolean): Lease<B>[] {
  const list: readonly (B | Emission<B>)[] = result === undefined ? [] : isList(result) ? result : [result]
  return list.map(one => {
    const { value, ...options } = isEmission(one) ? one : { value: one }
    // every item that the engine hands out is a lease, and a lease derives leases
    return item.derive(value, { keep, ...options }) as Lease<B>
  })
}

// a plain array always means several results: `Array.isArray` alone does not narrow a readonly list
const isList = <B>(
  result: B | Emission<B> | readonly (B | Emission<B>)[],
): result is readonly (B | Emission<B>)[] => Array.isArray(result)

const isEmission = <B>(one: B | Emission<B>): one is Emission<B> =>
  typeof one === 'object' && one !== null && emissions.has(one)

const isPromise = <T>(result: T | Promise<T>): result is Promise<T> =>
  typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
