/** A compiled kernel and what its bindings look like. */
export interface Pipeline {
  readonly compiled: GPUComputePipeline
  readonly bindings: GPUBindGroupLayout
}

/** The kernels compiled on one GPU, each source text once. */
export class Pipelines {
  readonly #gpu: GPUDevice
  readonly #ofKernels = new WeakMap<object, Map<string, Promise<Pipeline>>>()
  readonly #ofCodes = new Map<string, Promise<Pipeline>>()
  readonly #layouts = new Map<string, Layout>()

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
  }

  /** `kernel` is known by identity, so that `code` is asked for once; `writable` says which storage bindings are read_write. */
  get(
    kernel: { readonly name: string },
    writable: readonly boolean[],
    code: () => string,
  ): Promise<Pipeline> {
    const key = writable.map(Number).join('')
    let known = this.#ofKernels.get(kernel)
    if (!known) {
      known = new Map()
      this.#ofKernels.set(kernel, known)
    }
    let pipeline = known.get(key)
    if (!pipeline) {
      pipeline = this.#compiled(kernel.name, code(), key, writable)
      known.set(key, pipeline)
    }
    return pipeline
  }

  #compiled(label: string, code: string, key: string, writable: readonly boolean[]): Promise<Pipeline> {
    let pipeline = this.#ofCodes.get(code)
    if (!pipeline) {
      const module = this.#gpu.createShaderModule({ label, code })
      const layout = this.#layout(key, writable)
      const compute = { module, entryPoint: 'main' }
      pipeline = this.#gpu
        .createComputePipelineAsync({ label, layout: layout.pipeline, compute })
        .then(compiled => ({ compiled, bindings: layout.bindings }))
      this.#ofCodes.set(code, pipeline)
    }
    return pipeline
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
