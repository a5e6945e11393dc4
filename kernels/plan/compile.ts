import type { Device } from '../device/device.ts'
import { writeScalars } from '../device/kernel.ts'
import { storageOf } from '../device/storage-of.ts'
import { bytesOf, type Tensor } from '../device/tensor.ts'
import { type BoundDispatch, CompiledRecording, type EncodableCommand } from './compiled-recording.ts'
import { type Layout, layOut, type TensorMemory, withStorage } from './memory.ts'
import type { Command, Dispatch, Recording } from './recording.ts'

/** Gives the recording's tensors memory, compiles its kernels and binds them. Keeps nothing if that fails. */
export async function compile(
  device: Device,
  recording: Recording,
  label: string,
): Promise<CompiledRecording> {
  const prepared = prepare(device, recording, label)
  const { layout, contents } = prepared
  const slabs = layout.slabs.map((bytes, i) => device.allocate(`${label} ${i}`, bytes))
  const memory = { layout, contents, slabs }
  const free = () => {
    for (const slab of slabs) device.free(slab)
    discard(device, prepared)
  }
  try {
    return new CompiledRecording(device, await bind(device, prepared, memory), memory, free)
  } catch (error) {
    free()
    throw error
  }
}

/** A recording with all that stays when its slabs change. */
export interface PreparedRecording {
  recording: Recording
  layout: Layout
  /** Constants and inputs. */
  contents: GPUBuffer
  /** Params of the dispatches. */
  uniforms: GPUBuffer
}

/** Lays a recording out, and writes its constants, inputs and params to the device. */
export function prepare(device: Device, recording: Recording, label: string): PreparedRecording {
  const layout = layOut(recording, device.maxBindingBytes)
  const dispatches = recording.segments
    .flatMap(segment => segment.commands)
    .flatMap(command => ('dispatch' in command ? [command.dispatch] : []))
  const scalars = new ArrayBuffer(Math.max(1, dispatches.length) * scalarsBytes)
  dispatches.forEach((dispatch, i) => {
    expectConstants(recording, dispatch)
    const { kernel, params, grid } = dispatch
    writeScalars(new DataView(scalars, i * scalarsBytes, scalarsBytes), kernel, params, grid)
  })
  const contents = device.allocate(`${label} contents`, layout.contentBytes)
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST
  const uniforms = device.gpu.createBuffer({ label: `${label} uniforms`, size: scalars.byteLength, usage })
  device.gpu.queue.writeBuffer(uniforms, 0, scalars)
  const prepared = { recording, layout, contents, uniforms }
  try {
    for (const [tensor, data] of recording.constants)
      device.write(withStorage({ layout, contents, slabs: [] }, tensor), data)
    writeInputs(device, prepared)
    return prepared
  } catch (error) {
    discard(device, prepared)
    throw error
  }
}

/** Writes the present values of the inputs. */
export function writeInputs(device: Device, { recording, layout, contents }: PreparedRecording): void {
  for (const [tensor, data] of recording.inputs)
    device.write(withStorage({ layout, contents, slabs: [] }, tensor), data())
}

/** Frees what `prepare` allocated. */
export function discard(device: Device, { contents, uniforms }: PreparedRecording): void {
  device.free(contents)
  uniforms.destroy()
}

/** The commands of each segment, bound to the memory; compiles the kernels that are new. */
export async function bind(
  device: Device,
  { recording, uniforms }: PreparedRecording,
  memory: TensorMemory,
): Promise<Map<string, EncodableCommand[]>> {
  let count = 0
  const encodable = async (command: Command): Promise<EncodableCommand> => {
    if ('fill' in command) {
      const { buffer, offsetBytes } = storageOf(withStorage(memory, command.fill))
      return { fill: buffer, at: offsetBytes, bytes: clearedBytes(command.fill) }
    }
    const scalars = { buffer: uniforms, offset: count++ * scalarsBytes, size: scalarsBytes }
    const slices = command.dispatch.tensors.map(tensor => sliceOf(withStorage(memory, tensor)))
    return { dispatch: await bindDispatch(device, command.dispatch, scalars, slices) }
  }
  const segments = new Map<string, EncodableCommand[]>()
  for (const { name, commands } of recording.segments)
    segments.set(name, await Promise.all(commands.map(encodable)))
  return segments
}

/** Bytes between the params of two dispatches: WebGPU lets a uniform binding start at multiples of 256. */
const scalarsBytes = 256

/** Throws where a kernel writes a constant: it would be changed when the recording is reused. */
function expectConstants({ constants }: Recording, { kernel, tensors }: Dispatch): void {
  Object.values(kernel.buffers).forEach(({ access }, i) => {
    if (access === 'write' && constants.has(tensors[i]))
      throw new Error(`${kernel.name}: must not write the constant "${tensors[i].label}"; make it an input`)
  })
}

async function bindDispatch(
  device: Device,
  { kernel, tensors, grid }: Dispatch,
  scalars: GPUBufferBinding,
  slices: readonly GPUBufferBinding[],
): Promise<BoundDispatch> {
  const written = new Set(
    Object.values(kernel.buffers).flatMap((b, i) => (b.access === 'write' ? [slices[i]?.buffer] : [])),
  )
  // A buffer may not be read-only and writable in one dispatch, so inputs that share a buffer with an output are declared writable.
  const writable = slices.map((slice, i) => written.has(slice.buffer) || !tensors[i]?.storage)
  const { compiled, bindings } = await device.pipelines.get(kernel, writable)
  const entries = [scalars, ...slices].map((resource, binding) => ({ binding, resource }))
  return {
    pipeline: compiled,
    bindings: device.gpu.createBindGroup({ label: kernel.name, layout: bindings, entries }),
    grid,
  }
}

function sliceOf(tensor: Tensor): GPUBufferBinding {
  const { buffer, offsetBytes } = storageOf(tensor)
  return { buffer, offset: offsetBytes, size: Math.ceil(bytesOf(tensor) / 16) * 16 }
}

/** Bytes to clear, a multiple of 4 as WebGPU demands; no other tensor uses the last ones. */
const clearedBytes = (tensor: Tensor): number => Math.ceil(bytesOf(tensor) / 4) * 4
