import type { Device } from '../device/device.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Adapter, Parameter } from '../layers/pass.ts'
import { matmul } from '../matmul/matmul.ts'
import { compile } from '../plan/compile.ts'
import { Recording } from '../plan/recording.ts'
import { type Allocator, allocateParameters, type ParameterSet, parameter } from './parameters.ts'

export interface AdapterSizes {
  /** Names of the weights that get an adapter; each is the weight of a linear layer. */
  targets: readonly string[]
  rank: number
  /** Factor of the product of the two matrices. */
  scale: number
  /** Whether the matrices get gradients. */
  trained: boolean
}

/** Names of a weight's adapter matrices, as the library PEFT writes them. */
export function adapterNames(target: string): { down: string; up: string } {
  const module = target.replace(/\.weight$/, '')
  return { down: `${module}.lora_A.weight`, up: `${module}.lora_B.weight` }
}

/** The same weights with adapters for some of them. The adapters' memory is new and filled with zeros. */
export function attachAdapters(
  device: Allocator,
  base: ParameterSet,
  { targets, rank, scale, trained }: AdapterSizes,
): ParameterSet {
  const shapes = new Map<string, readonly number[]>()
  for (const target of targets) {
    const [outputs, inputs] = parameter(base, target).shape
    const { down, up } = adapterNames(target)
    shapes.set(down, [rank, inputs]).set(up, [outputs, rank])
  }
  const matrices = allocateParameters(device, shapes, () => trained)
  const byName = new Map(base.byName)
  for (const target of targets) {
    const { down, up } = adapterNames(target)
    const adapter = { down: parameter(matrices, down), up: parameter(matrices, up), scale }
    byName.set(target, { ...parameter(base, target), adapter })
  }
  for (const [name, matrix] of matrices.byName) byName.set(name, matrix)
  return {
    byName,
    ...(base.lossScale && { lossScale: base.lossScale }),
    slabs: [...base.slabs, ...matrices.slabs],
    free() {
      base.free()
      matrices.free()
    },
  }
}

/** The same weights without their adapters; `free` of the result does nothing. */
export function withoutAdapters({ byName, lossScale }: ParameterSet): ParameterSet {
  const matrices = new Set(
    [...byName.values()].flatMap(({ adapter }) => (adapter ? [adapter.down, adapter.up] : [])),
  )
  const plain = new Map<string, Parameter>()
  for (const [name, weight] of byName) {
    if (matrices.has(weight)) continue
    const { adapter: _, ...rest } = weight
    plain.set(name, rest)
  }
  return { byName: plain, slabs: [], ...(lossScale && { lossScale }), free() {} }
}

/** Adds scale · up · down to every weight that has an adapter, on the GPU. Use the set without its adapters afterwards. */
export async function mergeAdapters(device: Device, { byName }: ParameterSet): Promise<void> {
  const recording = new Recording(device)
  for (const { value, adapter } of byName.values()) {
    if (adapter) addAdapter(recording, adapter, value)
  }
  const compiled = await compile(device, recording, 'merge')
  compiled.run()
  await device.finish()
  compiled.free()
}

/** into += scale · up · down, where `into` is the adapter's weight (outputs, inputs) or a float16 copy of it. */
export function addAdapter(recording: Recording, { down, up, scale }: Adapter, into: Tensor): void {
  const [[rows, inner], [, columns]] = [up.shape, down.shape]
  const factors = { a: up.value, b: down.value }
  matmul(recording, { form: 'nn', rows, columns, inner, ...factors, out: into, scale, accumulate: true })
}
