import type { ReadSource } from './source-place.ts'
import type { TurnLine } from './turns.ts'

/** WebGPU as the platform has it; `imports` in package.json says which module `#web-gpu` is. */
export interface WebGpu {
  /**
   * The adapter with this number in the list of adapters, with this PCI id, or whose name contains `wanted`; by default the fastest.
   * It does not check the index of every access in a kernel when it is `trusted`, where that can be chosen.
   */
  adapter(wanted: string | undefined, trusted: boolean): Promise<GPUAdapter | null | undefined>
  /** A variable of the environment, where there is one. */
  setting(name: 'FLOW_ADAPTER' | 'FLOW_KERNELS' | 'FLOW_CHECKS'): string | undefined
  /** The files of those who write kernels, for messages. */
  readonly source: ReadSource
  /** What to do where no adapter is. */
  readonly remedy: string
  /** The line in which this process waits for its turn on the GPU; undefined where it shares it with no process of its run. */
  line(): TurnLine | undefined
  /** Called once a device is open. */
  opened(): void
}
