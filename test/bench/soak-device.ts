// A plugin for `npm run bench -- soak`: its operator passes items on, SIGUSR2 takes the GPU device away from the run, and a
// gauge tells what JavaScript keeps.
import { operator } from '../../engine/operator.ts'
import { sharedDevice } from '../../operators/device.ts'
import { collectNow } from '../collect-garbage.ts'

export const api = 1

/** A collection takes some 30 ms: as often as this it costs the run 1 % of its time. */
const collectionMs = 3000

/** Bytes of JavaScript's heap and of the buffers outside it, as they were after the last collection that this forced. */
function keptBytes(): () => number {
  let [last, bytes] = [Number.NEGATIVE_INFINITY, 0]
  return () => {
    if (performance.now() - last < collectionMs) return bytes
    collectNow()
    const { heapUsed, external } = process.memoryUsage()
    bytes = heapUsed + external
    last = performance.now()
    return bytes
  }
}

export const operators = {
  'soak.device': operator({
    summary:
      'Passes items on; when the process gets SIGUSR2 the GPU device is lost, as after a fault of the driver.',
    config: {},
    inputs: { items: 'any' },
    outputs: { items: { kind: 'any', like: 'items' } },
    drops: false,
    run: ({ items }, _config, context) => {
      context.gauge('kept bytes', keptBytes())
      const device = sharedDevice(context)
      // the run reports why it has no device
      device.catch(() => undefined)
      process.once('SIGUSR2', () => void device.then(({ gpu }) => gpu.destroy()))
      return { items: items.pipe(context.each(value => value)) }
    },
  }),
}
