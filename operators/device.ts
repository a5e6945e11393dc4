import type { Context } from '../engine/operator.ts'
import { type Device, openDevice } from '../kernels/device/device.ts'

/** The run's one GPU, opened on first use. */
export function sharedDevice(context: Context): Promise<Device> {
  return context.shared(
    'device',
    async () => {
      const device = await openDevice()
      context.manifest('adapter', { ...device.info, family: device.family })
      context.gauge('gpu bytes', () => device.liveBytes)
      context.gauge('gpu peak bytes', () => device.peakBytes)
      context.gauge('gpu busy', busyShare(device))
      return device
    },
    device => device.close(),
  )
}

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
