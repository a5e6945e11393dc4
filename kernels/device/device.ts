import { webGpu } from '#web-gpu'
import {
  type AdapterInfo,
  askedOf,
  chosenFamily,
  type DeviceOptions,
  type DeviceTraits,
  infoOf,
  isSoftware,
  type MatrixUnits,
  nameOf,
  requestAdapter,
  unitsOf,
} from './adapter.ts'
import { BufferPool } from './buffer-pool.ts'
import { BusyClock } from './busy-clock.ts'
import { statedChecks } from './checks.ts'
import { DeviceError } from './device-error.ts'
import type { Family } from './family.ts'
import { fromFloat16Bits } from './float16.ts'
import { refuseUnlessElements, refuseUnlessShape } from './given.ts'
import { gpuFault } from './kernel-fault.ts'
import { Pipelines } from './pipelines.ts'
import { storageOf } from './storage-of.ts'
import {
  bytesOf,
  type ElementType,
  elementBytes,
  type HostArray,
  sizeOf,
  type Tensor,
  type TensorCopy,
} from './tensor.ts'
import { turnsIn } from './turns.ts'
import { type Fill, Uploads } from './uploads.ts'

/** Opens the GPU. Throws with an instruction when there is no adapter: a missing driver never looks like success. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const wanted = options.adapter ?? webGpu.setting('FLOW_ADAPTER')
  const checked = await requestAdapter(wanted, false)
  webGpu.opened()
  const trusted = options.trusted ?? !(statedChecks(webGpu.setting('FLOW_CHECKS')) || isSoftware(checked))
  const adapter = trusted ? await requestAdapter(wanted, true) : checked
  const gpu = await adapter.requestDevice(askedOf(adapter))
  const family = options.family ?? chosenFamily(adapter)
  const units = options.units ?? (family === 'gpu' ? unitsOf(adapter) : 'none')
  return new Device(gpu, adapter, { family, units, wanted })
}

/** An opened GPU. It counts the bytes of its buffers, and throws the first validation error at the next read. */
export class Device {
  readonly gpu: GPUDevice
  readonly family: Family
  readonly units: MatrixUnits
  readonly info: AdapterInfo
  readonly pipelines: Pipelines
  /** Lanes of a subgroup; the `cpu` family is generated for it. */
  readonly subgroupSize: number
  /** Before a large piece of work, e.g. a pass: ends when it is the turn of this process, if it shares the GPU. */
  readonly turn: () => Promise<void>
  /** Bytes of all live buffers. */
  liveBytes = 0
  peakBytes = 0
  readonly #busy = new BusyClock()
  readonly #pool: BufferPool
  readonly #staging: BufferPool
  readonly #uploads: Uploads
  /** Buffers that are not freed. */
  readonly #live = new WeakSet<GPUBuffer>()
  #idleBytes = 0
  #failure: Error | undefined
  #lost: Error | undefined

  constructor(gpu: GPUDevice, adapter: GPUAdapter, { family, units, wanted }: DeviceTraits) {
    this.gpu = gpu
    this.family = family
    this.units = units
    this.pipelines = new Pipelines(gpu)
    this.info = infoOf(adapter)
    this.subgroupSize = adapter.info.subgroupMinSize ?? 1
    this.turn = turnsIn(webGpu.line(), () => gpu.queue.onSubmittedWorkDone())
    const most = Math.floor(this.maxBindingBytes / alignmentBytes) * alignmentBytes
    const destroy = (buffer: GPUBuffer) => buffer.destroy()
    this.#pool = new BufferPool({ most, make: (label, bytes) => this.#create(label, bytes), destroy })
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ
    const make = (label: string, size: number) => gpu.createBuffer({ label, size, usage })
    this.#staging = new BufferPool({ most: this.maxBufferBytes, make, destroy })
    this.#uploads = new Uploads(gpu, this.maxBufferBytes)
    gpu.addEventListener('uncapturederror', event => {
      event.preventDefault()
      this.#failure ??= gpuFault(event.error.message)
    })
    void gpu.lost.then(({ message }) => {
      this.#lost = new DeviceError('device-lost', `${nameOf(adapter, wanted)} was lost: ${message}`)
    })
  }

  /** Largest slice that a kernel can see. */
  get maxBindingBytes(): number {
    return this.gpu.limits.maxStorageBufferBindingSize
  }

  get maxBufferBytes(): number {
    return this.gpu.limits.maxBufferSize
  }

  /** Bytes of buffers that are kept for reuse; `liveBytes` does not count them. */
  get idleBytes(): number {
    return this.#pool.idleBytes + this.#idleBytes
  }

  /** Counts this number of bytes of live buffers as idle; a negative number makes them live again. */
  countIdle(bytes: number): void {
    this.#idleBytes += bytes
    this.liveBytes -= bytes
  }

  /** A buffer of zeros. */
  allocate(label: string, bytes: number): GPUBuffer {
    return this.#counted(this.#create(label, bytes))
  }

  /**
   * A buffer for a while, with whatever it held last: it is taken from those that were borrowed before, `wanted` if that
   * one is free.
   */
  borrow(label: string, bytes: number, wanted?: GPUBuffer): GPUBuffer {
    return this.#counted(this.#pool.borrow(label, align(bytes), wanted))
  }

  /** Destroys the buffer, or keeps it for the next borrower if it was borrowed. */
  free(buffer: GPUBuffer): void {
    this.liveBytes -= buffer.size
    this.#live.delete(buffer)
    if (!this.#pool.giveBack(buffer)) buffer.destroy()
  }

  /** Destroys the buffers that nobody has borrowed at present. */
  freeIdle(): void {
    this.#pool.clear()
    this.#staging.clear()
    this.#uploads.clear()
  }

  #create(label: string, bytes: number): GPUBuffer {
    const size = Math.max(alignmentBytes, align(bytes))
    if (size > this.maxBufferBytes)
      throw new DeviceError('too-large', `${label}: ${size} bytes; a buffer holds ${this.maxBufferBytes}`)
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST
    return this.gpu.createBuffer({ label, size, usage })
  }

  #counted(buffer: GPUBuffer): GPUBuffer {
    this.liveBytes += buffer.size
    this.#live.add(buffer)
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes + this.idleBytes)
    return buffer
  }

  /** A tensor with a buffer of its own, as it travels between operators. Free it with `freeTensor`. */
  tensor(
    label: string,
    shape: readonly number[],
    type: ElementType = 'f32',
    data?: HostArray,
  ): Required<Tensor> {
    refuseUnlessShape(label, shape)
    const buffer = this.allocate(label, sizeOf(shape) * elementBytes[type])
    const tensor = { label, shape, type, storage: { buffer, offsetBytes: 0 } }
    if (data) this.write(tensor, data)
    return tensor
  }

  /** As `tensor`, with a borrowed buffer: the contents are whatever it held. */
  borrowTensor(label: string, shape: readonly number[], type: ElementType = 'f32'): Required<Tensor> {
    const buffer = this.borrow(label, sizeOf(shape) * elementBytes[type])
    return { label, shape, type, storage: { buffer, offsetBytes: 0 } }
  }

  /** As `borrowTensor`, with the elements that `fill` writes at the beginning of memory which the GPU copies. */
  async upload(label: string, shape: readonly number[], type: ElementType, fill: Fill) {
    const size = Math.ceil((sizeOf(shape) * elementBytes[type]) / 4) * 4
    const filled = await this.#uploads.filled(align(size), fill)
    try {
      const tensor = this.borrowTensor(label, shape, type)
      const encoder = this.gpu.createCommandEncoder()
      encoder.copyBufferToBuffer(filled, 0, tensor.storage.buffer, 0, size)
      this.submit(encoder)
      return tensor
    } finally {
      this.#uploads.giveBack(filled)
    }
  }

  freeTensor(tensor: Tensor): void {
    if (tensor.storage) this.free(tensor.storage.buffer)
  }

  /** Whether the tensor has memory of this device that is not freed. */
  holds({ storage }: Tensor): boolean {
    return storage !== undefined && this.#live.has(storage.buffer)
  }

  /** Writes `data` at element `at` of the tensor. */
  write(tensor: Tensor, data: HostArray, at = 0): void {
    const { buffer, offsetBytes } = storageOf(tensor)
    const size = elementBytes[tensor.type]
    refuseUnlessElements(tensor.label, data, size)
    if ((at + data.length) * size > bytesOf(tensor))
      throw new DeviceError(
        'bad-write',
        `${tensor.label}: ${data.length} elements at ${at} exceed (${tensor.shape})`,
      )
    this.gpu.queue.writeBuffer(buffer, offsetBytes + at * size, data.buffer, data.byteOffset, data.byteLength)
  }

  /** Copies as many elements as fit from element `start` of one tensor to element `at` of another of the same type. */
  copy(source: Tensor, into: Tensor, start = 0, at = 0): void {
    this.copyAll([{ source, into, start, at }])
  }

  /** The same for several, in one submit. */
  copyAll(copies: readonly TensorCopy[]): void {
    const encoder = this.gpu.createCommandEncoder()
    for (const { source, into, start = 0, at = 0, count = Number.POSITIVE_INFINITY } of copies) {
      const [a, b] = [storageOf(source), storageOf(into)]
      const size = elementBytes[into.type]
      const fitting = Math.min(count, sizeOf(source.shape) - start, sizeOf(into.shape) - at)
      const [from, to] = [a.offsetBytes + start * size, b.offsetBytes + at * size]
      encoder.copyBufferToBuffer(a.buffer, from, b.buffer, to, fitting * size)
    }
    this.submit(encoder)
  }

  /** Hands recorded commands to the GPU; returns a number for `BusyClock.done`. */
  submit(encoder: GPUCommandEncoder): number {
    this.gpu.queue.submit([encoder.finish()])
    return this.#busy.submitted()
  }

  /** Seconds in which the GPU had work, as far as the host knows: it learns of an end when it reads or waits. */
  get busySeconds(): number {
    return this.#busy.seconds
  }

  /** The tensor's elements after all work submitted so far. Throws the first error on the GPU since the last read. */
  async read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    const bytes = await this.readBytes(tensor)
    if (tensor.type !== 'f16') return new Float32Array(bytes)
    return fromFloat16Bits(new Uint16Array(bytes))
  }

  async readIntegers(tensor: Tensor): Promise<Int32Array<ArrayBuffer>> {
    return new Int32Array(await this.readBytes(tensor))
  }

  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const { buffer, offsetBytes } = storageOf(tensor)
    const size = bytesOf(tensor)
    const staging = this.#staging.borrow('read back', align(size))
    const encoder = this.gpu.createCommandEncoder()
    encoder.copyBufferToBuffer(buffer, offsetBytes, staging, 0, Math.ceil(size / 4) * 4)
    const submitted = this.submit(encoder)
    try {
      await staging.mapAsync(GPUMapMode.READ)
      this.#busy.done(submitted)
      this.check()
      const bytes = staging.getMappedRange(0, align(size)).slice(0, size)
      staging.unmap()
      this.#staging.giveBack(staging)
      return bytes
    } catch (error) {
      staging.destroy()
      throw this.#lost ?? this.#failure ?? error
    }
  }

  /** Waits for all submitted work; throws the first error. */
  async finish(): Promise<void> {
    const submitted = this.#busy.latest
    await this.gpu.queue.onSubmittedWorkDone()
    this.#busy.done(submitted)
    this.check()
  }

  /** Throws the first GPU error since the last check; that the device is lost each time. */
  check(): void {
    const failure = this.#lost ?? this.#failure
    this.#failure = undefined
    if (failure) throw failure
  }

  /** Frees everything. */
  close(): void {
    this.gpu.destroy()
  }
}

export const align = (bytes: number): number => Math.ceil(bytes / alignmentBytes) * alignmentBytes
const alignmentBytes = 256
