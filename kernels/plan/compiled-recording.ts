import type { Device } from '../device/device.ts'
import type { HostArray, Tensor } from '../device/tensor.ts'
import { type TensorMemory, withStorage } from './memory.ts'

/** A dispatch with its pipeline and bindings. */
export interface BoundDispatch {
  pipeline: GPUComputePipeline
  bindings: GPUBindGroup
  grid: readonly [number, number, number]
}

/** A command that is ready to be encoded. */
export type EncodableCommand = { dispatch: BoundDispatch } | { fill: GPUBuffer; at: number; bytes: number }

/** Commands of a recording that is submitted in parts, and of its first part. */
const [longRecording, firstPart] = [256, 48]

/** A recording with memory and bindings, ready to run. */
export class CompiledRecording {
  readonly device: Device
  readonly #segments: ReadonlyMap<string, EncodableCommand[]>
  readonly #memory: TensorMemory
  /** Gives the memory back. */
  readonly free: () => void

  constructor(
    device: Device,
    segments: ReadonlyMap<string, EncodableCommand[]>,
    memory: TensorMemory,
    free: () => void,
  ) {
    this.device = device
    this.#segments = segments
    this.#memory = memory
    this.free = free
  }

  /**
   * Runs the named segments (by default all, in order). Long ones are submitted in parts, each twice as long as the one before, so
   * that the GPU works on the first while the host encodes the others.
   */
  run(names: readonly string[] = [...this.#segments.keys()]): void {
    const commands = names.flatMap(name => {
      const segment = this.#segments.get(name)
      if (segment) return segment
      throw new Error(`no segment "${name}"; segments: ${[...this.#segments.keys()].join(', ')}`)
    })
    let part = commands.length > longRecording ? firstPart : commands.length
    for (let start = 0; start < commands.length; start += part, part *= 2)
      this.#submit(commands.slice(start, start + part))
  }

  #submit(commands: readonly EncodableCommand[]): void {
    const encoder = this.device.gpu.createCommandEncoder()
    let pass: GPUComputePassEncoder | undefined
    for (const command of commands) {
      if ('dispatch' in command) {
        pass ??= encoder.beginComputePass()
        pass.setPipeline(command.dispatch.pipeline)
        pass.setBindGroup(0, command.dispatch.bindings)
        pass.dispatchWorkgroups(...command.dispatch.grid)
        continue
      }
      pass?.end()
      pass = undefined
      encoder.clearBuffer(command.fill, command.at, command.bytes)
    }
    pass?.end()
    this.device.submit(encoder)
    this.device.pipelines.used(pipelinesIn(commands))
  }

  /** The tensor with its storage. Only pinned tensors keep their contents after the dispatches that use them. */
  at(tensor: Tensor): Tensor {
    return withStorage(this.#memory, tensor)
  }

  write(tensor: Tensor, data: HostArray, at = 0): void {
    this.device.write(this.at(tensor), data, at)
  }

  read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    return this.device.read(this.at(tensor))
  }

  readIntegers(tensor: Tensor): Promise<Int32Array<ArrayBuffer>> {
    return this.device.readIntegers(this.at(tensor))
  }
}

function* pipelinesIn(commands: readonly EncodableCommand[]): Generator<GPUComputePipeline> {
  for (const command of commands) if ('dispatch' in command) yield command.dispatch.pipeline
}
