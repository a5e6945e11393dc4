import { type EventLoopUtilization, PerformanceObserver, performance } from 'node:perf_hooks'
import type { Device } from '../../kernels/device/device.ts'

/** What a stretch of work kept busy, in seconds. */
export interface Busy {
  seconds: number
  /** Compute passes, from the first dispatch to the last; copies and clears outside of passes are not counted. */
  gpu: number
  /** JavaScript, garbage included. */
  host: number
  garbage: number
}

/** Measures from `lap` to `lap`. */
export interface BusyMeter {
  /** What the time since the last lap was spent on; waits for the GPU to finish what was submitted in it. */
  lap(): Promise<Busy>
  stop(): void
}

/** Passes between two read-outs. */
const mostPasses = 2048

/** Puts timestamps around every compute pass of the device from now on. Needs the feature timestamp-query. */
export function busyMeter({ gpu }: Device): BusyMeter {
  const querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 * mostPasses })
  let passes = 0
  let gpuSeconds = 0
  const readOuts = new Set<Promise<void>>()
  const original = gpu.createCommandEncoder
  const readOut = (): void => {
    if (passes === 0) return
    const size = passes * 16
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC
    const resolved = gpu.createBuffer({ size, usage })
    const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
    const encoder = original.call(gpu)
    encoder.resolveQuerySet(querySet, 0, 2 * passes, resolved, 0)
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size)
    gpu.queue.submit([encoder.finish()])
    passes = 0
    const added = staging.mapAsync(GPUMapMode.READ).then(() => {
      const times = new BigUint64Array(staging.getMappedRange())
      for (let i = 0; i < times.length; i += 2) gpuSeconds += Number(times[i + 1] - times[i]) / 1e9
      staging.destroy()
      resolved.destroy()
      readOuts.delete(added)
    })
    readOuts.add(added)
  }
  gpu.createCommandEncoder = descriptor => {
    // Between two encoders all passes so far are submitted: each of ours is, as soon as it is finished.
    if (passes > mostPasses / 2) readOut()
    return timed(original.call(gpu, descriptor), querySet, () => (passes < mostPasses ? passes++ : undefined))
  }
  let garbage = 0
  const observer = new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) garbage += duration / 1000
  })
  observer.observe({ entryTypes: ['gc'] })
  let before = { started: performance.now(), loop: performance.eventLoopUtilization() }
  return {
    async lap() {
      const now = { started: performance.now(), loop: performance.eventLoopUtilization() }
      const { active }: EventLoopUtilization = performance.eventLoopUtilization(now.loop, before.loop)
      readOut()
      await Promise.all(readOuts)
      const busy = {
        seconds: (now.started - before.started) / 1000,
        gpu: gpuSeconds,
        host: active / 1000,
        garbage,
      }
      ;[before, gpuSeconds, garbage] = [now, 0, 0]
      return busy
    },
    stop() {
      gpu.createCommandEncoder = original
      observer.disconnect()
      querySet.destroy()
    },
  }
}

/** "GPU busy 97.1 %, host 12.0 % (0.210 s), garbage 0.4 %" */
export function busyText({ seconds, gpu, host, garbage }: Busy): string {
  const share = (part: number) => `${((100 * part) / seconds).toFixed(1)} %`
  return `GPU busy ${share(gpu)}, host ${share(host)} (${host.toFixed(3)} s), garbage ${share(garbage)}`
}

export const sumOf = (laps: readonly Busy[]): Busy => {
  const sum = (field: keyof Busy) => laps.reduce((total, lap) => total + lap[field], 0)
  return { seconds: sum('seconds'), gpu: sum('gpu'), host: sum('host'), garbage: sum('garbage') }
}

/** The encoder, whose passes write the time of their begin and end; `next` numbers them, as long as there is room. */
function timed(encoder: GPUCommandEncoder, querySet: GPUQuerySet, next: () => number | undefined) {
  return new Proxy(encoder, {
    get(target, key) {
      if (key === 'beginComputePass')
        return () => {
          const pass = next()
          if (pass === undefined) return target.beginComputePass()
          const timestampWrites = {
            querySet,
            beginningOfPassWriteIndex: 2 * pass,
            endOfPassWriteIndex: 2 * pass + 1,
          }
          return target.beginComputePass({ timestampWrites })
        }
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
