import { align, type Device } from '../device/device.ts'
import { bytesOf, type Tensor } from '../device/tensor.ts'
import type { Command, Recording } from './recording.ts'

/** The memory of a compiled plan: its tensors with their places, and the buffers that these are in. */
export interface TensorMemory {
  tensors: Map<Tensor, Tensor>
  buffers: GPUBuffer[]
}

/** Gives the plan's own tensors memory on the device. */
export function allocateTensors(device: Device, recording: Recording, label: string): TensorMemory {
  const { slabs, found } = layOut(recording, device.maxBindingBytes)
  const buffers = slabs.map((bytes, i) => device.allocate(`${label} ${i}`, bytes))
  const tensors = new Map<Tensor, Tensor>()
  for (const [tensor, { slab, offset }] of found)
    tensors.set(tensor, { ...tensor, storage: { buffer: buffers[slab], offsetBytes: offset } })
  return { tensors, buffers }
}

/** The tensor with its place. */
export const withStorage = ({ tensors }: TensorMemory, tensor: Tensor): Tensor =>
  tensor.storage ? tensor : (tensors.get(tensor) ?? tensor)

/** Bytes of the memory that the plan's own tensors will share, found without a device. */
export const recordingBytes = (recording: Recording, maxBindingBytes: number): number =>
  layOut(recording, maxBindingBytes).slabs.reduce((sum, bytes) => sum + bytes, 0)

/** The tensors that the plan has to place, in the order in which they occur. */
export const tensorsToPlace = (recording: Recording): Tensor[] =>
  lifetimes(recording).map(life => life.tensor)

/** Bytes of each buffer, and where in them the tensors without storage lie. */
interface Layout {
  slabs: number[]
  found: Map<Tensor, { slab: number; offset: number }>
}

interface Lifetime {
  tensor: Tensor
  first: number
  last: number
}

/** Gives every tensor without storage a place that overlaps no other tensor alive at the same time: largest first. */
function layOut(recording: Recording, maxBindingBytes: number): Layout {
  const lives = lifetimes(recording).sort((a, b) => bytesOf(b.tensor) - bytesOf(a.tensor))
  const slabs: { end: number; taken: { life: Lifetime; from: number; to: number }[] }[] = []
  const found = new Map<Tensor, { slab: number; offset: number }>()
  for (const life of lives) {
    const size = Math.max(256, align(bytesOf(life.tensor)))
    if (size > maxBindingBytes)
      throw new Error(
        `${life.tensor.label} (${life.tensor.shape}): ${size} bytes; a binding holds ${maxBindingBytes}`,
      )
    let done = false
    for (let slab = 0; !done; slab++) {
      slabs[slab] ??= { end: 0, taken: [] }
      const target = slabs[slab]
      const offset = gap(target.taken, life, size)
      if (offset + size > maxBindingBytes) continue
      target.taken.push({ life, from: offset, to: offset + size })
      target.end = Math.max(target.end, offset + size)
      found.set(life.tensor, { slab, offset })
      done = true
    }
  }
  return { slabs: slabs.map(slab => slab.end), found }
}

function gap(
  taken: readonly { life: Lifetime; from: number; to: number }[],
  life: Lifetime,
  size: number,
): number {
  const busy = taken
    .filter(t => t.life.first <= life.last && life.first <= t.life.last)
    .sort((a, b) => a.from - b.from)
  let offset = 0
  for (const { from, to } of busy) {
    if (from - offset >= size) break
    offset = Math.max(offset, to)
  }
  return offset
}

function lifetimes(recording: Recording): Lifetime[] {
  const lives = new Map<Tensor, Lifetime>()
  for (const tensor of recording.pinned)
    lives.set(tensor, { tensor, first: 0, last: Number.POSITIVE_INFINITY })
  let time = 0
  for (const command of recording.segments.flatMap(s => s.commands)) {
    for (const tensor of touched(command)) {
      if (tensor.storage) continue
      const life = lives.get(tensor)
      if (life) life.last = Math.max(life.last, time)
      else lives.set(tensor, { tensor, first: time, last: time })
    }
    time++
  }
  return [...lives.values()]
}

function touched(command: Command): readonly Tensor[] {
  return 'dispatch' in command ? command.dispatch.tensors : [command.fill]
}
