import { align, type Device } from '../device/device.ts'
import { bytesOf, type Tensor } from '../device/tensor.ts'
import type { Command, Recording } from './recording.ts'

/** The memory of a compiled recording: each tensor with its storage, and the buffers that hold them. */
export interface TensorMemory {
  tensors: Map<Tensor, Tensor>
  buffers: GPUBuffer[]
}

/** Gives memory on the device to the tensors of a recording that have none. */
export function allocateTensors(device: Device, recording: Recording, label: string): TensorMemory {
  const { slabs, locations } = layOut(recording, device.maxBindingBytes)
  const buffers = slabs.map((bytes, i) => device.allocate(`${label} ${i}`, bytes))
  const tensors = new Map<Tensor, Tensor>()
  for (const [tensor, { slab, offset }] of locations)
    tensors.set(tensor, { ...tensor, storage: { buffer: buffers[slab], offsetBytes: offset } })
  return { tensors, buffers }
}

/** The tensor with its storage. */
export const withStorage = ({ tensors }: TensorMemory, tensor: Tensor): Tensor =>
  tensor.storage ? tensor : (tensors.get(tensor) ?? tensor)

/** Bytes that `allocateTensors` would take, computed without a device. */
export const recordingBytes = (recording: Recording, maxBindingBytes: number): number =>
  layOut(recording, maxBindingBytes).slabs.reduce((sum, bytes) => sum + bytes, 0)

/** The tensors of a recording that need memory, in the order in which they occur. */
export const tensorsToPlace = (recording: Recording): Tensor[] =>
  lifetimes(recording).map(life => life.tensor)

/** Bytes of each buffer (slab), and the buffer and offset of each tensor. */
interface Layout {
  slabs: number[]
  locations: Map<Tensor, { slab: number; offset: number }>
}

/** A tensor with the numbers of the first and last command that use it. */
interface Lifetime {
  tensor: Tensor
  first: number
  last: number
}

/**
 * Finds a location for each tensor without storage, the largest first: the lowest offset where it overlaps no tensor that is
 * alive at the same time.
 */
function layOut(recording: Recording, maxBindingBytes: number): Layout {
  const lives = lifetimes(recording).sort((a, b) => bytesOf(b.tensor) - bytesOf(a.tensor))
  const slabs: { end: number; taken: Range[] }[] = []
  const locations = new Map<Tensor, { slab: number; offset: number }>()
  for (const life of lives) {
    const size = Math.max(256, align(bytesOf(life.tensor)))
    if (size > maxBindingBytes)
      throw new Error(
        `${life.tensor.label} (${life.tensor.shape}): ${size} bytes; a binding holds ${maxBindingBytes}`,
      )
    for (let slab = 0; !locations.has(life.tensor); slab++) {
      slabs[slab] ??= { end: 0, taken: [] }
      const target = slabs[slab]
      const offset = gap(target.taken, life, size)
      if (offset + size > maxBindingBytes) continue
      target.taken.push({ life, from: offset, to: offset + size })
      target.end = Math.max(target.end, offset + size)
      locations.set(life.tensor, { slab, offset })
    }
  }
  return { slabs: slabs.map(slab => slab.end), locations }
}

/** Bytes of a slab that a tensor takes during its life. */
interface Range {
  life: Lifetime
  from: number
  to: number
}

/** The lowest offset with `size` bytes that no tensor takes during `life`. */
function gap(taken: readonly Range[], life: Lifetime, size: number): number {
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
