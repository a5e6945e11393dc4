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
      return device
    },
    device => device.close(),
  )
}
