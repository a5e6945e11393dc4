import type { Device, HostArray } from '../device/device.ts'
import type { Tensor } from '../device/tensor.ts'
import { type TensorMemory, withStorage } from './memory.ts'

/** A dispatch, bound. */
export interface BoundDispatch {
  pipeline: GPUComputePipeline
  bindings: GPUBindGroup
  grid: readonly [number, number, number]
}

/** A command that can be encoded as it is. */
export type EncodableCommand = { step: BoundDispatch } | { fill: GPUBuffer; at: number; bytes: number }

/** A plan with memory and bindings, replayed in a tight loop. */
export class CompiledRecording {
  readonly device: Device
  readonly #segments: Map<string, EncodableCommand[]>
  readonly #places: TensorMemory
  readonly #uniforms: GPUBuffer
  readonly #release: (() => void) | undefined

  /** `release` is called in place of giving the memory back. */
  constructor(
    device: Device,
    segments: Map<string, EncodableCommand[]>,
    places: TensorMemory,
    uniforms: GPUBuffer,
    release?: () => void,
  ) {
    this.device = device
    this.#segments = segments
    this.#places = places
    this.#uniforms = uniforms
    this.#release = release
  }

  /** The same memory and bindings for a plan that differs in its tensors' identity only: `mine[i]` stands for `theirs[i]`. */
  rebind(mine: readonly Tensor[], theirs: readonly Tensor[], release: () => void): CompiledRecording {
    const tensors = new Map<Tensor, Tensor>()
    theirs.forEach((tensor, i) => {
      tensors.set(tensor, this.at(mine[i]))
    })
    const places = { tensors, buffers: this.#places.buffers }
    return new CompiledRecording(this.device, this.#segments, places, this.#uniforms, release)
  }

  /** Bytes of the memory that the plan's own tensors share. */
  get bytes(): number {
    return this.#places.buffers.reduce((sum, buffer) => sum + buffer.size, 0)
  }

  /** Runs the named segments (by default all, in order) in one submit. */
  run(names: readonly string[] = [...this.#segments.keys()]): void {
    const encoder = this.device.gpu.createCommandEncoder()
    let pass: GPUComputePassEncoder | undefined
    for (const name of names) {
      const commands = this.#segments.get(name)
      if (!commands) throw new Error(`no segment "${name}"; known: ${[...this.#segments.keys()].join(', ')}`)
      for (const command of commands) {
        if ('step' in command) {
          pass ??= encoder.beginComputePass()
          pass.setPipeline(command.step.pipeline)
          pass.setBindGroup(0, command.step.bindings)
          pass.dispatchWorkgroups(...command.step.grid)
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

  /** The same tensor with its place; only pinned tensors keep their contents between dispatches. */
  at(tensor: Tensor): Tensor {
    return withStorage(this.#places, tensor)
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
    for (const buffer of this.#places.buffers) this.device.free(buffer)
    this.#uniforms.destroy()
  }
}
