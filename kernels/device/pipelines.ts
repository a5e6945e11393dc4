import { declare, type Kernel, placeOf } from './kernel.ts'
import { kernelFault } from './kernel-fault.ts'

/** A compiled kernel and the layout of its bindings. */
export interface Pipeline {
  readonly compiled: GPUComputePipeline
  readonly bindings: GPUBindGroupLayout
}

/** The kernels compiled on one GPU. */
export class Pipelines {
  readonly #gpu: GPUDevice
  readonly #ofKernels = new WeakMap<Kernel, Map<string, Promise<Pipeline>>>()
  readonly #layouts = new Map<string, Layout>()
  /** Pipelines that were never used. */
  readonly #unused = new Set<GPUComputePipeline>()
  /** Kernels that are being compiled, and those whose first work has not ended: some drivers compile them then. */
  pending = 0
  /** All kernels that were asked for. */
  asked = 0

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
  }

  /**
   * The kernel, compiled at the first call; `writable` says which of its storage bindings are read_write. Throws where the
   * kernel's text is wrong.
   */
  get(kernel: Kernel, writable: readonly boolean[]): Promise<Pipeline> {
    const key = writable.map(Number).join('')
    const pipelines = this.#ofKernels.get(kernel) ?? new Map<string, Promise<Pipeline>>()
    this.#ofKernels.set(kernel, pipelines)
    const pipeline = pipelines.get(key) ?? this.#compiled(kernel, key, writable)
    pipelines.set(key, pipeline)
    return pipeline
  }

  async #compiled(kernel: Kernel, key: string, writable: readonly boolean[]): Promise<Pipeline> {
    this.asked++
    this.pending++
    const label = kernel.name
    const text = {
      name: label,
      declarations: declare(kernel, writable),
      code: kernel.code,
      place: placeOf(kernel),
    }
    // the scope catches the error of a wrong text, which is thrown below; the next read of the device must not throw it
    this.#gpu.pushErrorScope('validation')
    const module = this.#gpu.createShaderModule({ label, code: text.declarations + text.code })
    const layout = this.#layout(key, writable)
    const told = this.#gpu.popErrorScope().catch(() => null) // a lost device tells nothing
    const compute = { module, entryPoint: 'main' }
    try {
      const compiled = await this.#gpu.createComputePipelineAsync({ label, layout: layout.pipeline, compute })
      this.#unused.add(compiled)
      return { compiled, bindings: layout.bindings }
    } catch (error) {
      const fault = await told
      const messages = fault ? (await module.getCompilationInfo()).messages : []
      const why = error instanceof Error ? error.message : String(error)
      throw kernelFault(text, messages, fault?.message ?? why)
    } finally {
      this.pending--
    }
  }

  /** Work with these pipelines was submitted. They are looked through only while some pipeline was never used. */
  used(pipelines: Iterable<GPUComputePipeline>): void {
    if (this.#unused.size === 0) return
    let first = 0
    for (const pipeline of pipelines) if (this.#unused.delete(pipeline)) first++
    if (first === 0) return
    const ended = () => {
      this.pending -= first
    }
    this.pending += first
    this.#gpu.queue.onSubmittedWorkDone().then(ended, ended) // a lost device tells nothing
  }

  #layout(key: string, writable: readonly boolean[]): Layout {
    let layout = this.#layouts.get(key)
    if (!layout) {
      const visibility = GPUShaderStage.COMPUTE
      const storage = writable.map((write, i): GPUBindGroupLayoutEntry => {
        return { binding: i + 1, visibility, buffer: { type: write ? 'storage' : 'read-only-storage' } }
      })
      const entries: GPUBindGroupLayoutEntry[] = [
        { binding: 0, visibility, buffer: { type: 'uniform' } },
        ...storage,
      ]
      const bindings = this.#gpu.createBindGroupLayout({ entries })
      layout = { bindings, pipeline: this.#gpu.createPipelineLayout({ bindGroupLayouts: [bindings] }) }
      this.#layouts.set(key, layout)
    }
    return layout
  }
}

interface Layout {
  bindings: GPUBindGroupLayout
  pipeline: GPUPipelineLayout
}
