import type { Context } from '../engine/operator.ts'
import { clock } from '../engine/platform/clock.ts'
import { isObject } from '../engine/shared/json.ts'
import { notFreed } from '../engine/shared/not-freed.ts'
import { type Device, openDevice } from '../kernels/device/device.ts'
import { bytesOf, type Tensor } from '../kernels/device/tensor.ts'
import { compilingLine } from './compiling-line.ts'

/** The run's one GPU, opened on first use. */
export function sharedDevice(
  context: Pick<Context, 'shared'> & Partial<Pick<Context, 'manifest' | 'gauge' | 'log' | 'inspect'>>,
): Promise<Device> {
  let timer: ReturnType<typeof setInterval> | undefined
  return context.shared(
    'device',
    async () => {
      const device = await openDevice()
      context.manifest?.('adapter', { ...device.info, family: device.family })
      context.gauge?.('gpu bytes', () => device.liveBytes)
      context.gauge?.('gpu peak bytes', () => device.peakBytes)
      context.gauge?.('gpu busy', busyShare(device))
      context.inspect?.(value => elementsOf(device, value))
      const look = compilingLine(
        device.pipelines,
        line => context.log?.(line),
        () => performance.now(),
      )
      timer = setInterval(look, lookMs)
      clock.letGo(timer)
      return device
    },
    device => {
      clearInterval(timer)
      const left = device.liveBytes
      if (left > 0) context.log?.(`${left} ${notFreed} by the end of the run`, 'warn')
      device.close()
    },
  )
}

/** Time between two looks at the kernels that compile. */
const lookMs = 1000

/** The elements of a tensor of this device, for taps. */
function elementsOf(device: Device, value: unknown): Promise<ArrayLike<number>> | undefined {
  if (!isObject(value) || !Array.isArray(value.shape) || !isObject(value.storage)) return undefined
  const tensor = value as unknown as Tensor // nothing else has a shape and a storage
  // of an item that is on its way some tensors may be freed already
  if (!device.holds(tensor) || bytesOf(tensor) > mostBytesRead) return undefined
  if (tensor.type === 'u32') return device.readBytes(tensor).then(bytes => new Uint32Array(bytes))
  return tensor.type === 'i32' ? device.readIntegers(tensor) : device.read(tensor)
}

/** Larger tensors are shown without statistics: a tap must not slow the run down. */
const mostBytesRead = 64 << 20

/** The share of the time since it was last asked in which the GPU had work. */
function busyShare(device: Device): () => number {
  let before = { at: performance.now(), busy: device.busySeconds }
  return () => {
    const now = { at: performance.now(), busy: device.busySeconds }
    const share = (now.busy - before.busy) / Math.max((now.at - before.at) / 1000, 1e-9)
    before = now
    return Math.min(1, share)
  }
}
