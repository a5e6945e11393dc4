import { BufferPool } from './buffer-pool.ts'

/**
 * Memory that the host fills and the GPU copies from. It is used again: on a software adapter it takes longer to make 54 MB of it
 * than to read a file into them.
 */
export class Uploads {
  /** Buffers that are mapped while nobody has them. */
  readonly #pool: BufferPool

  constructor(gpu: GPUDevice, most: number) {
    const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC
    const make = (label: string, size: number) =>
      gpu.createBuffer({ label, size, usage, mappedAtCreation: true })
    this.#pool = new BufferPool({ most, make, destroy: buffer => buffer.destroy() })
  }

  /** A buffer of at least `bytes` that begins with what `fill` writes. Give it back after its copy was submitted. */
  async filled(bytes: number, fill: Fill): Promise<GPUBuffer> {
    const buffer = this.#pool.borrow('upload', bytes)
    try {
      await fill(new Uint8Array(buffer.getMappedRange()))
      buffer.unmap()
      return buffer
    } catch (error) {
      buffer.destroy()
      throw error
    }
  }

  /** The next one gets it when the GPU has copied what is in it. */
  giveBack(buffer: GPUBuffer): void {
    void buffer.mapAsync(GPUMapMode.WRITE).then(
      () => this.#pool.giveBack(buffer),
      () => buffer.destroy(), // the device is lost or closed
    )
  }

  clear(): void {
    this.#pool.clear()
  }
}

/** Writes into memory that is as large as was asked for, or larger. */
export type Fill = (memory: Uint8Array) => Promise<void>
