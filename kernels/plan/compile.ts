import { type Device, storageOf } from '../device/device.ts'
import { writeScalars } from '../device/kernel.ts'
import { bytesOf, type Tensor } from '../device/tensor.ts'
import { type BoundDispatch, CompiledRecording, type EncodableCommand } from './compiled-recording.ts'
import { allocateTensors, withStorage } from './memory.ts'
import type { Command, Dispatch, Recording } from './recording.ts'

/** Gives the recording's tensors memory, compiles its kernels and binds them. */
export async function compile(
  device: Device,
  recording: Recording,
  label: string,
): Promise<CompiledRecording> {
  const memory = allocateTensors(device, recording, label)
  const dispatches = recording.segments.flatMap(s => s.commands).filter(c => 'dispatch' in c)
  const scalars = new ArrayBuffer(Math.max(1, dispatches.length) * scalarsBytes)
  const uniforms = device.gpu.createBuffer({
    label: `${label} uniforms`,
    size: scalars.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  })
  let count = 0
  const encodable = async (command: Command): Promise<EncodableCommand> => {
    if ('fill' in command) {
      const { buffer, offsetBytes } = storageOf(withStorage(memory, command.fill))
      return { fill: buffer, at: offsetBytes, bytes: clearedBytes(command.fill) }
    }
    const { kernel, params, tensors, grid } = command.dispatch
    const offset = count++ * scalarsBytes
    writeScalars(new DataView(scalars, offset, scalarsBytes), kernel, params, grid)
    const slices = tensors.map(tensor => sliceOf(withStorage(memory, tensor)))
    return {
      dispatch: await bind(
        device,
        command.dispatch,
        { buffer: uniforms, offset, size: scalarsBytes },
        slices,
      ),
    }
  }
  const segments = new Map<string, EncodableCommand[]>()
  for (const { name, commands } of recording.segments)
    segments.set(name, await Promise.all(commands.map(encodable)))
  device.gpu.queue.writeBuffer(uniforms, 0, scalars)
  for (const [tensor, data] of recording.constants) device.write(withStorage(memory, tensor), data)
  return new CompiledRecording(device, segments, memory, uniforms)
}

/** Bytes between the params of two dispatches: WebGPU lets a uniform binding start at multiples of 256. */
const scalarsBytes = 256

async function bind(
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
