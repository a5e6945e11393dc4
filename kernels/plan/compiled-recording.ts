import type { Device, HostArray } from '../device/device.ts'
import type { Tensor } from '../device/tensor.ts'
import { type TensorMemory, withStorage } from './memory.ts'

/** A dispatch with its pipeline and bindings. */
export interface BoundDispatch {
  pipeline: GPUComputePipeline
  bindings: GPUBindGroup
  grid: readonly [number, number, number]
}

/** A command that is ready to be encoded. */
export type EncodableCommand = { dispatch: BoundDispatch } | { fill: GPUBuffer; at: number; bytes: number }

/** A recording with memory and bindings, ready to run. */
export class CompiledRecording {
  readonly device: Device
  readonly #segments: Map<string, EncodableCommand[]>
  readonly #memory: TensorMemory
  readonly #uniforms: GPUBuffer
  readonly #release: (() => void) | undefined

  /** With `release`, `free` calls it and keeps the memory. */
  constructor(
    device: Device,
    segments: Map<string, EncodableCommand[]>,
    memory: TensorMemory,
    uniforms: GPUBuffer,
    release?: () => void,
  ) {
    this.device = device
    this.#segments = segments
    this.#memory = memory
    this.#uniforms = uniforms
    this.#release = release
  }

  /** The same memory and bindings for an equal recording of other tensor objects: `theirs[i]` gets the memory of `mine[i]`. */
  rebind(mine: readonly Tensor[], theirs: readonly Tensor[], release: () => void): CompiledRecording {
    const tensors = new Map<Tensor, Tensor>()
    theirs.forEach((tensor, i) => {
      tensors.set(tensor, this.at(mine[i]))
    })
    const memory = { tensors, buffers: this.#memory.buffers }
    return new CompiledRecording(this.device, this.#segments, memory, this.#uniforms, release)
  }

  /** Bytes of the buffers that the tensors share. */
  get bytes(): number {
    return this.#memory.buffers.reduce((sum, buffer) => sum + buffer.size, 0)
  }

  /** Runs the named segments (by default all, in order) in one submit. */
  run(names: readonly string[] = [...this.#segments.keys()]): void {
    const encoder = this.device.gpu.createCommandEncoder()
    let pass: GPUComputePassEncoder | undefined
    for (const name of names) {
      const commands = this.#segments.get(name)
      if (!commands)
        throw new Error(`no segment "${name}"; segments: ${[...this.#segments.keys()].join(', ')}`)
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
    }
    pass?.end()
    this.device.gpu.queue.submit([encoder.finish()])
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

  free(): void {
    if (this.#release) {
      this.#release()
      return
    }
    for (const buffer of this.#memory.buffers) this.device.free(buffer)
    this.#uniforms.destroy()
  }
}
