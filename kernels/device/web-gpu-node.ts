import { create, globals } from 'webgpu'
import { pollGently } from './polling.ts'
import type { WebGpu } from './web-gpu.ts'

// What create() returns must stay referenced as long as the process lives, else Node crashes at random.
const instances = new Map<string, GPU>()

/** Dawn, through its package for Node. */
export const webGpu: WebGpu = {
  instance(adapter, trusted) {
    const key = `${adapter ?? ''} ${trusted}`
    let gpu = instances.get(key)
    if (!gpu) {
      Object.assign(globalThis, globals)
      const unchecked = trusted ? ',disable_robustness' : ''
      const features = `enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia${unchecked}`
      // Timestamps are otherwise rounded to 65 µs, longer than most kernels take.
      const flags = [features, 'disable-dawn-features=timestamp_quantization']
      gpu = create(adapter ? [...flags, `adapter=${adapter}`] : flags)
      instances.set(key, gpu)
    }
    return gpu
  },
  setting: name => process.env[name],
  remedy:
    'install a Vulkan driver that Dawn accepts (Debian 12: mesa-vulkan-drivers from bookworm-backports; `npm start` does it)',
  opened: pollGently,
}
