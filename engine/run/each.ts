import { Observable, type OperatorFunction } from 'rxjs'
import type { DeriveOptions, EachOptions, Emission, Item, Result } from '../operator.ts'
import type { Host } from './host.ts'
import type { Lease } from './ledger.ts'

/** One input on its way through `each`. */
interface Job<A, B> {
  item: Item<A>
  /** What is left to emit; undefined while the work goes on. */
  results: Lease<B>[] | undefined
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
        let result: Result<B> | Promise<Result<B>>
        try {
          result = work(job.item.value, job.item)
        } catch (error) {
          failed(job, error, left)
          return
        }
        if (isPromise(result)) follow(job, result, left)
        else finish(job, result)
      }
      const follow = (job: Job<A, B>, result: Promise<Result<B>>, left: number) => {
        result.then(
          value => finish(job, value),
          error => failed(job, error, left),
        )
      }
      const failed = (job: Job<A, B>, error: unknown, left: number) => {
        if (left > 0 && !host.signal.aborted) {
          later(host.backoffMs * 2 ** (host.retries - left), host.signal, () => {
            if (host.signal.aborted) {
              host.failed(error, job.item)
              finish(job, undefined)
            } else {
              host.end()
              attempt(job, left - 1)
            }
          })
          return
        }
        host.failed(error, job.item)
        finish(job, undefined)
      }
      const finish = (job: Job<A, B>, result: Result<B>) => {
        try {
          job.results = leasesOf(result, job.item, keep)
        } catch (error) {
          job.results = []
          host.fail(error)
        }
        host.end()
        if (subscriber.closed) drop(job)
        else emit()
      }
      /** All of the above for an item that nothing is ahead of: it becomes a job only when it has to wait. */
      const passThrough = (item: Item<A>) => {
        started++
        host.begin()
        let result: Result<B> | Promise<Result<B>>
        try {
          result = work(item.value, item)
        } catch (error) {
          failed(begun(item), error, host.retries)
          return
        }
        if (isPromise(result)) follow(begun(item), result, host.retries)
        else if (isList(result)) finish(begun(item), result)
        else passOn(item, result)
      }
      const passOn = (item: Item<A>, result: B | Emission<B> | undefined) => {
        let lease: Lease<B> | undefined
        try {
          if (result !== undefined) lease = leaseOf(result, item, keep)
        } catch (error) {
          host.fail(error)
        }
        host.end()
        if (subscriber.closed) {
          if (lease?.open) lease.release()
          return
        }
        if (lease) {
          if (!host.hasRoom(lease.bytes)) {
            begun(item).results = [lease]
            host.whenRoom(emit)
            return
          }
          emitting = true
          subscriber.next(lease)
          emitting = false
          if (subscriber.closed) return
        }
        started--
        item.release()
        if (sourceDone || jobs.length > 0) emit()
      }
      const begun = (item: Item<A>): Job<A, B> => {
        const job = { item, results: undefined }
        jobs.unshift(job)
        return job
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
          if (started === 0 && jobs.length === 0) return passThrough(item)
          jobs.push({ item, results: undefined })
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

/** Calls back after so long, or when the run is aborted; at once when there is nothing to wait for. */
function later(milliseconds: number, signal: AbortSignal, then: () => void): void {
  if (milliseconds === 0) {
    then()
    return
  }
  const wake = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', wake)
    then()
  }
  const timer = setTimeout(wake, milliseconds)
  signal.addEventListener('abort', wake)
}

const emissions = new WeakSet<object>()

/** Marks a value with options, so that `each` can tell it from a value that happens to look like one. */
export function emission<T>(value: T, options: DeriveOptions = {}): Emission<T> {
  const made = { ...options, value }
  emissions.add(made)
  return made
}

function leasesOf<B>(result: Result<B>, item: Item, keep: boolean): Lease<B>[] {
  if (result === undefined) return []
  return isList(result) ? result.map(one => leaseOf(one, item, keep)) : [leaseOf(result, item, keep)]
}

const kept: DeriveOptions = { keep: true }
const loose: DeriveOptions = { keep: false }

function leaseOf<B>(one: B | Emission<B>, item: Item, keep: boolean): Lease<B> {
  const standard = keep ? kept : loose
  // every item that the engine hands out is a lease, and a lease derives leases
  if (!isEmission(one)) return item.derive(one, standard) as Lease<B>
  const { value, ...options } = one
  return item.derive(value, { ...standard, ...options }) as Lease<B>
}

// a plain array always means several results: `Array.isArray` alone does not narrow a readonly list
const isList = <B>(
  result: B | Emission<B> | readonly (B | Emission<B>)[],
): result is readonly (B | Emission<B>)[] => Array.isArray(result)

const isEmission = <B>(one: B | Emission<B>): one is Emission<B> =>
  typeof one === 'object' && one !== null && emissions.has(one)

const isPromise = <T>(result: T | Promise<T>): result is Promise<T> =>
  typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
