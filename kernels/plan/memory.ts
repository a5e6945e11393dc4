import { roomFor } from '../device/buffer-pool.ts'
import { align } from '../device/device.ts'
import { bytesOf, type Tensor } from '../device/tensor.ts'
import type { Command, Recording } from './recording.ts'

/** Where the tensors of a recording lie that have no storage of their own. */
export interface Layout {
  /** Bytes of each buffer (slab) that tensors share. */
  slabs: readonly number[]
  /** Bytes of the buffer for constants and inputs. */
  contentBytes: number
  locations: ReadonlyMap<Tensor, Location>
}

interface Location {
  /** The number of a slab; none: the buffer for constants and inputs. */
  slab?: number
  offset: number
}

/** The buffers of a layout. */
export interface TensorMemory {
  layout: Layout
  slabs: readonly GPUBuffer[]
  contents: GPUBuffer
}

/** The tensor with its storage. */
export function withStorage({ layout, slabs, contents }: TensorMemory, tensor: Tensor): Tensor {
  const location = tensor.storage ? undefined : layout.locations.get(tensor)
  if (!location) return tensor
  const buffer = location.slab === undefined ? contents : slabs[location.slab]
  return { ...tensor, storage: { buffer, offsetBytes: location.offset } }
}

/** Bytes that a recording takes when it is compiled, computed without a device. */
export function recordingBytes(recording: Recording, maxBindingBytes: number): number {
  const { slabs, contentBytes } = layOut(recording, maxBindingBytes)
  return slabs.reduce((sum, bytes) => sum + roomFor(bytes, maxBindingBytes), contentBytes)
}

/**
 * Finds a location for each tensor without storage, the largest first: the lowest offset where it overlaps no tensor that is
 * alive at the same time. Constants and inputs lie in a buffer of their own, which keeps them while slabs change hands.
 */
export function layOut(recording: Recording, maxBindingBytes: number): Layout {
  const locations = new Map<Tensor, Location>()
  let contentBytes = 0
  for (const tensor of [...recording.constants.keys(), ...recording.inputs.keys()]) {
    locations.set(tensor, { offset: contentBytes })
    contentBytes += spaceOf(tensor, maxBindingBytes)
  }
  const lives = lifetimes(recording).filter(({ tensor }) => !locations.has(tensor))
  lives.sort((a, b) => bytesOf(b.tensor) - bytesOf(a.tensor))
  const slabs: { end: number; taken: Range[] }[] = []
  for (const life of lives) {
    const size = spaceOf(life.tensor, maxBindingBytes)
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
  return { slabs: slabs.map(slab => slab.end), contentBytes, locations }
}

/** Bytes of a slab that a tensor takes. */
function spaceOf(tensor: Tensor, maxBindingBytes: number): number {
  const size = Math.max(256, align(bytesOf(tensor)))
  if (size <= maxBindingBytes) return size
  throw new Error(`${tensor.label} (${tensor.shape}): ${size} bytes; a binding holds ${maxBindingBytes}`)
}

/** A tensor with the numbers of the first and last command that use it. */
interface Lifetime {
  tensor: Tensor
  first: number
  last: number
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
