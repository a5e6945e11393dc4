import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import type { EachOptions, Emission, Item, Result } from '../../operator.ts'
import { allDerived, derived, isList } from '../items/emission.ts'
import type { Lease } from '../items/lease.ts'
import type { Host } from './host.ts'

type Work<A, B> = (value: A, item: Item<A>) => Result<B> | Promise<Result<B>>

/** Implements `Context.each`, which operator.ts describes. */
export function each<A, B>(
  host: Host,
  work: Work<A, B>,
  { concurrency = 1, keep = true }: EachOptions = {},
): OperatorFunction<Item<A>, Item<B>> {
  return items =>
    new Observable(subscriber => items.subscribe(new Each(host, work, concurrency, keep, subscriber)))
}

/** One input on its way through `each`. */
interface Job<A, B> {
  item: Item<A>
  /** What is left to emit, the next one last; undefined while the work goes on. */
  results: Lease<B>[] | undefined
}

class Each<A, B> extends Subscriber<Item<A>> {
  readonly #host: Host
  readonly #work: Work<A, B>
  readonly #concurrency: number
  readonly #keep: boolean
  readonly #output: Subscriber<Item<B>>
  /** Inputs in order, from the first that is not done. */
  readonly #jobs: Job<A, B>[] = []
  #started = 0
  #sourceDone = false
  #emitting = false

  constructor(host: Host, work: Work<A, B>, concurrency: number, keep: boolean, output: Subscriber<Item<B>>) {
    super(output)
    this.#host = host
    this.#work = work
    this.#concurrency = concurrency
    this.#keep = keep
    this.#output = output
  }

  protected override _next(item: Item<A>): void {
    if (this.#started === 0 && this.#jobs.length === 0) {
      this.#passThrough(item)
    } else {
      this.#jobs.push({ item, results: undefined })
      this.#advance()
    }
  }

  protected override _complete(): void {
    this.#sourceDone = true
    this.#emit()
    this.unsubscribe()
  }

  /** An item that nothing is ahead of becomes a job only when it has to wait. */
  #passThrough(item: Item<A>): void {
    this.#started++
    this.#host.begin()
    let result: Result<B> | Promise<Result<B>>
    try {
      result = this.#work(item.value, item)
    } catch (error) {
      this.#failed(this.#begun(item), error, this.#host.retries)
      return
    }
    if (isPromise(result)) this.#follow(this.#begun(item), result, this.#host.retries)
    else if (isList(result)) this.#finish(this.#begun(item), result)
    else this.#passOn(item, result)
  }

  #passOn(item: Item<A>, result: B | Emission<B> | undefined): void {
    let lease: Lease<B> | undefined
    try {
      if (result !== undefined) lease = derived(result, item, this.#keep)
    } catch (error) {
      this.#host.fail(error)
    }
    this.#host.end()
    if (this.#output.closed) {
      lease?.free()
      return
    }
    if (lease) {
      if (!this.#host.hasRoom(lease.bytes)) {
        this.#begun(item).results = [lease]
        this.#host.whenRoom(this.#resume)
        return
      }
      this.#emitting = true
      this.#output.next(lease)
      this.#emitting = false
      if (this.#output.closed) return
    }
    this.#started--
    item.release()
    if (this.#sourceDone || this.#jobs.length > 0) this.#emit()
  }

  #begun(item: Item<A>): Job<A, B> {
    const job = { item, results: undefined }
    this.#jobs.unshift(job)
    return job
  }

  #advance(): void {
    while (this.#started < this.#concurrency) {
      const job = this.#jobs[this.#started]
      if (!job) break
      this.#started++
      this.#attempt(job, this.#host.retries)
    }
    this.#emit()
  }

  #attempt(job: Job<A, B>, left: number): void {
    this.#host.begin()
    let result: Result<B> | Promise<Result<B>>
    try {
      result = this.#work(job.item.value, job.item)
    } catch (error) {
      this.#failed(job, error, left)
      return
    }
    if (isPromise(result)) this.#follow(job, result, left)
    else this.#finish(job, result)
  }

  #follow(job: Job<A, B>, result: Promise<Result<B>>, left: number): void {
    result.then(
      value => this.#finish(job, value),
      error => this.#failed(job, error, left),
    )
  }

  #failed(job: Job<A, B>, error: unknown, left: number): void {
    const { signal, backoffMs, retries } = this.#host
    if (left === 0 || signal.aborted) {
      this.#giveUp(job, error)
      return
    }
    later(backoffMs * 2 ** (retries - left), signal, () => {
      if (signal.aborted) {
        this.#giveUp(job, error)
      } else {
        this.#host.end()
        this.#attempt(job, left - 1)
      }
    })
  }

  #giveUp(job: Job<A, B>, error: unknown): void {
    this.#host.failed(error, job.item)
    this.#finish(job, undefined)
  }

  #finish(job: Job<A, B>, result: Result<B>): void {
    try {
      job.results = allDerived(result, job.item, this.#keep).reverse()
    } catch (error) {
      job.results = []
      this.#host.fail(error)
    }
    this.#host.end()
    if (!this.#output.closed) this.#emit()
    // the node is ending, so a late result is freed
    else for (const lease of job.results) lease.free()
  }

  /** Emits in the order of the input, waiting for room before each item. */
  #emit(): void {
    const output = this.#output
    if (this.#emitting || output.closed) return
    this.#emitting = true
    for (let [job] = this.#jobs; job?.results; [job] = this.#jobs) {
      const next = job.results.at(-1)
      if (next) {
        if (!this.#host.hasRoom(next.bytes)) {
          this.#emitting = false
          this.#host.whenRoom(this.#resume)
          return
        }
        job.results.pop()
        output.next(next)
      } else {
        this.#jobs.shift()
        this.#started--
        job.item.release()
      }
      if (output.closed) break
    }
    this.#emitting = false
    if (output.closed) return
    if (this.#sourceDone && this.#jobs.length === 0) output.complete()
    else if (this.#started < Math.min(this.#concurrency, this.#jobs.length)) this.#advance()
  }

  readonly #resume = (): void => this.#emit()
}

/** Calls back after the delay, or when the run is aborted; at once when there is nothing to wait for. */
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

const isPromise = <T>(result: T | Promise<T>): result is Promise<T> =>
  typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
