import type { WebGpu } from './web-gpu.ts'

/** The browser's own WebGPU, in a page or in a worker. It checks every access. */
export const webGpu: WebGpu = {
  // the types of Node do not know the field
  adapter: async () =>
    (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu?.requestAdapter({
      powerPreference: 'high-performance',
    }),
  setting: () => undefined,
  source: () => undefined,
  remedy:
    'take Chrome or Edge 113, Safari 26 or Firefox 141, or a newer one, and open the page by https or on localhost',
  line: () => undefined,
  opened: () => {},
}
