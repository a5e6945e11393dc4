import { type Device, storageOf } from '../device/device.ts'
import { writeScalars } from '../device/kernel.ts'
import { bytesOf, type Tensor } from '../device/tensor.ts'
import { type BoundDispatch, CompiledRecording, type EncodableCommand } from './compiled-recording.ts'
import { allocateTensors, withStorage } from './memory.ts'
import type { Command, Dispatch, Recording } from './recording.ts'

/** Places the plan's tensors, compiles its kernels and binds them. */
export async function compile(
  device: Device,
  recording: Recording,
  label: string,
): Promise<CompiledRecording> {
  const places = allocateTensors(device, recording, label)
  const dispatches = recording.segments.flatMap(s => s.commands).filter(c => 'dispatch' in c)
  const scalars = new ArrayBuffer(Math.max(1, dispatches.length) * scalarsBytes)
  const uniforms = device.gpu.createBuffer({
    label: `${label} uniforms`,
    size: scalars.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  })
  let slot = 0
  const ready = async (command: Command): Promise<EncodableCommand> => {
    if ('fill' in command) {
      const { buffer, offsetBytes } = storageOf(withStorage(places, command.fill))
      return { fill: buffer, at: offsetBytes, bytes: wordsOf(command.fill) }
    }
    const { kernel, params, tensors, grid } = command.dispatch
    const offset = slot++ * scalarsBytes
    writeScalars(new DataView(scalars, offset, scalarsBytes), kernel, params, grid)
    const slices = tensors.map(tensor => sliceOf(withStorage(places, tensor)))
    return {
      step: await bind(device, command.dispatch, { buffer: uniforms, offset, size: scalarsBytes }, slices),
    }
  }
  const segments = new Map<string, EncodableCommand[]>()
  for (const { name, commands } of recording.segments)
    segments.set(name, await Promise.all(commands.map(ready)))
  device.gpu.queue.writeBuffer(uniforms, 0, scalars)
  for (const [tensor, data] of recording.constants) device.write(withStorage(places, tensor), data)
  return new CompiledRecording(device, segments, places, uniforms)
}

/** Room for the params of one dispatch: where a uniform binding may begin. */
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

/** What clearing must span, a multiple of 4; nothing else lies in those last bytes. */
const wordsOf = (tensor: Tensor): number => Math.ceil(bytesOf(tensor) / 4) * 4
