import { align, type Device } from '../device/device.ts'
import { type ElementType, elementBytes, sizeOf, type Tensor } from '../device/tensor.ts'
import type { Parameter } from '../layers/pass.ts'
import type { LossScale } from '../optimizer/loss-scale.ts'
import type { Precision } from '../plan/recording.ts'
import { type IntegerFormat, rowWords } from '../weights/integers.ts'

/** Allocates buffers: a device, or a counter of bytes. */
export type Allocator = Pick<Device, 'allocate' | 'free' | 'maxBindingBytes' | 'maxBufferBytes'>

/** Weights that share a few large buffers (slabs), so that an optimizer updates each buffer in one dispatch. */
export interface ParameterSet {
  readonly byName: ReadonlyMap<string, Parameter>
  /** The buffers of the trained weights as flat tensors and, in the same layout, those of their gradients. */
  readonly slabs: readonly { values: Tensor; gradients: Tensor }[]
  /** The factor of the gradients; undefined unless products are in float16. */
  readonly lossScale?: LossScale
  free(): void
}

/** How a frozen matrix of this name and shape is held as integers; undefined: as floats. */
export type IntegersOf = (name: string, shape: readonly number[]) => IntegerFormat | undefined

/**
 * Allocates the named weights, filled with zeros; those that `trained` accepts get gradients. Frozen matrices are stored in
 * `precision` or as integers, all other weights in float32, because the small steps of an optimizer vanish in float16.
 */
export function allocateParameters(
  device: Allocator,
  shapes: ReadonlyMap<string, readonly number[]>,
  trained: (name: string) => boolean,
  precision: Precision = 'float32',
  integersOf: IntegersOf = () => undefined,
): ParameterSet {
  const byName = new Map<string, Parameter>()
  const buffers: GPUBuffer[] = []
  const slabs: { values: Tensor; gradients: Tensor }[] = []
  const formats = new Map<string, IntegerFormat>()
  for (const [name, shape] of shapes) {
    const format = trained(name) ? undefined : integersOf(name, shape)
    if (format) formats.set(name, format)
  }
  const isFloat16 = (name: string) =>
    precision === 'float16' && !trained(name) && isMatrix(name, shapes.get(name) ?? [])
  for (const { training, type } of slabKinds) {
    const names = [...shapes.keys()].filter(
      name => !formats.has(name) && trained(name) === training && isFloat16(name) === (type === 'f16'),
    )
    for (const slab of layOutSlabs(device, shapes, names, type)) {
      const values = device.allocate('weights', slab.bytes)
      const gradients = training ? device.allocate('gradients', slab.bytes) : undefined
      buffers.push(values, ...(gradients ? [gradients] : []))
      const flat = (label: string, buffer: GPUBuffer): Tensor => {
        return { label, shape: [slab.bytes / 4], type: 'f32', storage: { buffer, offsetBytes: 0 } }
      }
      if (gradients) slabs.push({ values: flat('weights', values), gradients: flat('gradients', gradients) })
      for (const { name, offsetBytes } of slab.weights) {
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
  const held = integerParameters(device, shapes, formats)
  for (const weight of held.parameters) byName.set(weight.name, weight)
  buffers.push(...held.buffers)
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

/** Allocates the weights that are held as integers, with the buffers where they lie. */
function integerParameters(
  device: Allocator,
  shapes: ReadonlyMap<string, readonly number[]>,
  formats: ReadonlyMap<string, IntegerFormat>,
): { parameters: Parameter[]; buffers: GPUBuffer[] } {
  const words = new Map<string, readonly number[]>()
  for (const [name, format] of formats) {
    const [rows = 0, columns = 0] = shapes.get(name) ?? []
    const ofRow = rowWords(columns, format)
    words.set(name, [rows, ofRow.integers]).set(groupsOf(name), [rows, ofRow.groups])
  }
  const buffers: GPUBuffer[] = []
  const tensors = new Map<string, Tensor>()
  for (const slab of layOutSlabs(device, words, [...words.keys()], 'u32')) {
    const buffer = device.allocate('weights', slab.bytes)
    buffers.push(buffer)
    for (const { name, offsetBytes } of slab.weights) {
      const shape = words.get(name) ?? []
      tensors.set(name, { label: name, shape, type: 'u32', storage: { buffer, offsetBytes } })
    }
  }
  const parameters = [...formats].flatMap(([name, format]): Parameter[] => {
    const [value, groups] = [tensors.get(name), tensors.get(groupsOf(name))]
    const shape = shapes.get(name) ?? []
    return value && groups
      ? [{ name, shape, value, integers: { ...format, shape, integers: value, groups } }]
      : []
  })
  return { parameters, buffers }
}

const groupsOf = (name: string): string => `${name} groups`

/** A scale of 1, which an optimizer may raise, and counters of clamped values; all bytes are zero. */
function newLossScale(allocator: Allocator) {
  const tensor = (label: string, size: number, type: ElementType) => {
    const buffer = allocator.allocate(label, size * elementBytes[type])
    return { label, shape: [size], type, storage: { buffer, offsetBytes: 0 } }
  }
  return {
    state: tensor('loss scale', 4, 'f32'),
    forwardCuts: tensor('cuts of forwards', 1, 'u32'),
    backwardCuts: tensor('cuts of backwards', 1, 'u32'),
  } satisfies LossScale
}

/** Weights of a slab are alike in these. */
const slabKinds = [
  { training: true, type: 'f32' },
  { training: false, type: 'f32' },
  { training: false, type: 'f16' },
] as const

/** Whether a weight is a factor of products with rows that matrix units can read 8 elements at a time. */
export const isMatrix = (name: string, [, ...inner]: readonly number[]): boolean =>
  name.endsWith('.weight') &&
  !name.endsWith('position_embedding.weight') &&
  inner.length > 0 &&
  sizeOf(inner) % 8 === 0

/** The weight of this name. A missing one is a fault of the program, since the checkpoint was checked when it was opened. */
export function parameter(set: ParameterSet, name: string): Parameter {
  const weight = set.byName.get(name)
  if (!weight) throw new Error(`no parameter ${name}`)
  return weight
}

interface SlabLayout {
  bytes: number
  weights: { name: string; offsetBytes: number }[]
}

function layOutSlabs(
  device: Allocator,
  shapes: ReadonlyMap<string, readonly number[]>,
  names: readonly string[],
  type: ElementType,
): SlabLayout[] {
  const limit = Math.min(device.maxBindingBytes, device.maxBufferBytes)
  const slabs: SlabLayout[] = []
  for (const name of names) {
    const bytes = align(sizeOf(shapes.get(name) ?? []) * elementBytes[type])
    if (bytes > limit)
      throw new Error(`${name} (${shapes.get(name)}): ${bytes} bytes; a binding of this GPU holds ${limit}`)
    let slab = slabs.at(-1)
    if (!slab || slab.bytes + bytes > limit) {
      slab = { bytes: 0, weights: [] }
      slabs.push(slab)
    }
    slab.weights.push({ name, offsetBytes: slab.bytes })
    slab.bytes += bytes
  }
  return slabs
}
