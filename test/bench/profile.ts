import type { Device } from '../../kernels/device/device.ts'

/** What one kernel took in a profiled run. */
export interface KernelTime {
  name: string
  dispatches: number
  microseconds: number
}

/** Of one query set, and of a profile. */
const dispatchesOfSet = 2048
const mostDispatches = 4 * dispatchesOfSet

/**
 * Runs `work` once with every dispatch in a pass of its own, between timestamps, and adds up by kernel, longest first.
 * Needs the feature timestamp-query. Nothing else may use the device meanwhile; what does not fit is left out.
 */
export async function profile(device: Device, work: () => Promise<unknown> | unknown): Promise<KernelTime[]> {
  const { gpu } = device
  const times = Array.from({ length: mostDispatches / dispatchesOfSet }, () =>
    gpu.createQuerySet({ type: 'timestamp', count: 2 * dispatchesOfSet }),
  )
  const names: string[] = []
  const original = gpu.createCommandEncoder
  gpu.createCommandEncoder = descriptor => {
    const encoder = original.call(gpu, descriptor)
    return new Proxy(encoder, {
      get(target, key) {
        if (key === 'beginComputePass') return () => timedPass(target, times, names)
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  try {
    await work()
  } finally {
    gpu.createCommandEncoder = original
  }
  return sums(names, await readTimes(gpu, times, names.length))
}

/** Lines of a table, the whole first. */
export function profileLines(times: readonly KernelTime[]): string[] {
  const whole = times.reduce((sum, { microseconds }) => sum + microseconds, 0)
  const line = (microseconds: number, dispatches: number, name: string) =>
    `  ${microseconds.toFixed(0).padStart(8)} µs ${dispatches.toString().padStart(5)} × ${(microseconds / dispatches).toFixed(1).padStart(7)} µs  ${name}`
  const count = times.reduce((sum, { dispatches }) => sum + dispatches, 0)
  return [
    line(whole, Math.max(1, count), 'all kernels'),
    ...times.map(({ name, dispatches, microseconds }) => line(microseconds, dispatches, name)),
  ]
}

/** Stands in for a pass: a real one for each dispatch. */
function timedPass(encoder: GPUCommandEncoder, times: readonly GPUQuerySet[], names: string[]) {
  let pipeline: GPUComputePipeline | undefined
  let bindings: GPUBindGroup | undefined
  return {
    setPipeline(given: GPUComputePipeline) {
      pipeline = given
    },
    setBindGroup(_: number, given: GPUBindGroup) {
      bindings = given
    },
    dispatchWorkgroups(...grid: [number, number, number]) {
      if (!pipeline || !bindings) throw new Error('profile: a dispatch without pipeline or bindings')
      const querySet = times[Math.floor(names.length / dispatchesOfSet)]
      const first = 2 * (names.length % dispatchesOfSet)
      if (querySet) names.push(pipeline.label)
      const pass = encoder.beginComputePass({
        ...(querySet && {
          timestampWrites: {
            querySet,
            beginningOfPassWriteIndex: first,
            endOfPassWriteIndex: first + 1,
          },
        }),
      })
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, bindings)
      pass.dispatchWorkgroups(...grid)
      pass.end()
    },
    end() {},
  }
}

async function readTimes(
  gpu: GPUDevice,
  times: readonly GPUQuerySet[],
  count: number,
): Promise<BigUint64Array> {
  const size = Math.max(16, count * 16)
  const resolved = gpu.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC })
  const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
  const encoder = gpu.createCommandEncoder()
  times.forEach((set, i) => {
    const ofSet = Math.min(dispatchesOfSet, count - i * dispatchesOfSet)
    if (ofSet > 0) encoder.resolveQuerySet(set, 0, 2 * ofSet, resolved, i * dispatchesOfSet * 16)
  })
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, size)
  gpu.queue.submit([encoder.finish()])
  await staging.mapAsync(GPUMapMode.READ)
  const found = new BigUint64Array(staging.getMappedRange().slice(0))
  staging.destroy()
  resolved.destroy()
  for (const set of times) set.destroy()
  return found
}

function sums(names: readonly string[], found: BigUint64Array): KernelTime[] {
  const byName = new Map<string, KernelTime>()
  names.forEach((name, i) => {
    const sum = byName.get(name) ?? { name, dispatches: 0, microseconds: 0 }
    sum.dispatches++
    sum.microseconds += Number(found[2 * i + 1] - found[2 * i]) / 1000
    byName.set(name, sum)
  })
  return [...byName.values()].sort((a, b) => b.microseconds - a.microseconds)
}
