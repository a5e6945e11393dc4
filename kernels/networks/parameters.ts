import { align, type Device } from '../device/device.ts'
import { type ElementType, elementBytes, sizeOf, type Tensor } from '../device/tensor.ts'
import type { Parameter } from '../layers/pass.ts'
import type { LossScale } from '../optimizer/loss-scale.ts'
import type { Precision } from '../plan/recording.ts'

/** What hands out buffers: a device, or a count of their bytes. */
export type Allocator = Pick<Device, 'allocate' | 'free' | 'maxBindingBytes' | 'maxBufferBytes'>

/** Weights side by side in a few large buffers, so that an optimizer updates each buffer in one dispatch. */
export interface ParameterSet {
  readonly byName: ReadonlyMap<string, Parameter>
  /** Flat tensors that cover the trained weights and, in the same layout, their gradients. */
  readonly slabs: readonly { values: Tensor; gradients: Tensor }[]
  /** What the gradients are multiplied by; only with products in float16. */
  readonly lossScale?: LossScale
  free(): void
}

/**
 * Makes room for the named weights; those that `trained` accepts get gradients. Frozen matrices are kept in `precision`,
 * everything else in float32: an optimizer's small steps vanish in float16. Contents are zero.
 */
export function allocateParameters(
  device: Allocator,
  shapes: ReadonlyMap<string, readonly number[]>,
  trained: (name: string) => boolean,
  precision: Precision = 'float32',
): ParameterSet {
  const byName = new Map<string, Parameter>()
  const buffers: GPUBuffer[] = []
  const slabs: { values: Tensor; gradients: Tensor }[] = []
  const isFloat16 = (name: string) =>
    precision === 'float16' && !trained(name) && isMatrix(name, shapes.get(name) ?? [])
  for (const { training, type } of kinds) {
    const names = [...shapes.keys()].filter(
      name => trained(name) === training && isFloat16(name) === (type === 'f16'),
    )
    for (const part of layOutSlabs(device, shapes, names, type)) {
      const values = device.allocate('weights', part.bytes)
      const gradients = training ? device.allocate('gradients', part.bytes) : undefined
      buffers.push(values, ...(gradients ? [gradients] : []))
      const flat = (label: string, buffer: GPUBuffer): Tensor => {
        return { label, shape: [part.bytes / 4], type: 'f32', storage: { buffer, offsetBytes: 0 } }
      }
      if (gradients) slabs.push({ values: flat('weights', values), gradients: flat('gradients', gradients) })
      for (const { name, offsetBytes } of part.places) {
        const shape = shapes.get(name) ?? []
        const at = (label: string, buffer: GPUBuffer): Tensor => ({
          label,
          shape,
          type,
          storage: { buffer, offsetBytes },
        })
        const gradient = gradients && { gradient: at(`d ${name}`, gradients) }
        byName.set(name, { name, shape, value: at(name, values), ...gradient })
      }
    }
  }
  const lossScale = precision === 'float16' ? newLossScale(device) : undefined
  if (lossScale) for (const { storage } of Object.values(lossScale)) buffers.push(storage.buffer)
  return {
    byName,
    slabs,
    ...(lossScale && { lossScale }),
    free() {
      for (const buffer of buffers) device.free(buffer)
    },
  }
}

/** A scale of 1, which an optimizer may raise, and no cuts: all zeros. */
function newLossScale(memory: Allocator) {
  const tensor = (label: string, size: number, type: ElementType) => {
    const buffer = memory.allocate(label, size * elementBytes[type])
    return { label, shape: [size], type, storage: { buffer, offsetBytes: 0 } }
  }
  return {
    state: tensor('loss scale', 4, 'f32'),
    forwardCuts: tensor('cuts of forwards', 1, 'u32'),
    backwardCuts: tensor('cuts of backwards', 1, 'u32'),
  } satisfies LossScale
}

const kinds = [
  { training: true, type: 'f32' },
  { training: false, type: 'f32' },
  { training: false, type: 'f16' },
] as const

/** Whether a weight is a factor of products whose rows matrix units read 8 at a time. */
const isMatrix = (name: string, [, ...inner]: readonly number[]): boolean =>
  name.endsWith('.weight') &&
  !name.endsWith('position_embedding.weight') &&
  inner.length > 0 &&
  sizeOf(inner) % 8 === 0

/** The weight of that name; a missing one is a mistake of ours, since the checkpoint was checked before. */
export function parameter(set: ParameterSet, name: string): Parameter {
  const found = set.byName.get(name)
  if (!found) throw new Error(`no parameter ${name}`)
  return found
}

interface SlabLayout {
  bytes: number
  places: { name: string; offsetBytes: number }[]
}

function layOutSlabs(
  device: Allocator,
  shapes: ReadonlyMap<string, readonly number[]>,
  names: readonly string[],
  type: ElementType,
): SlabLayout[] {
  const limit = Math.min(device.maxBindingBytes, device.maxBufferBytes)
  const parts: SlabLayout[] = []
  for (const name of names) {
    const bytes = align(sizeOf(shapes.get(name) ?? []) * elementBytes[type])
    if (bytes > limit)
      throw new Error(`${name} (${shapes.get(name)}): ${bytes} bytes; a binding of this GPU holds ${limit}`)
    let part = parts.at(-1)
    if (!part || part.bytes + bytes > limit) {
      part = { bytes: 0, places: [] }
      parts.push(part)
    }
    part.places.push({ name, offsetBytes: part.bytes })
    part.bytes += bytes
  }
  return parts
}
