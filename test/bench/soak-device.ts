// A plugin for `npm run bench -- soak`: its operator passes items on, and SIGUSR2 takes the GPU device away from the run.
import { operator } from '../../engine/operator.ts'
import { sharedDevice } from '../../operators/device.ts'

export const api = 1

export const operators = {
  'soak.device': operator({
    summary:
      'Passes items on; when the process gets SIGUSR2 the GPU device is lost, as after a fault of the driver.',
    config: {},
    inputs: { items: 'any' },
    outputs: { items: { kind: 'any', like: 'items' } },
    drops: false,
    run: ({ items }, _config, context) => {
      const device = sharedDevice(context)
      // the run reports why it has no device
      device.catch(() => undefined)
      process.once('SIGUSR2', () => void device.then(({ gpu }) => gpu.destroy()))
      return { items: items.pipe(context.each(value => value)) }
    },
  }),
}
