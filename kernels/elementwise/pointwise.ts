// Pointwise kernels: the same expression for every element of some tensors of one size, written as one line of WGSL.
//
//   lane     0  1  2  …  width − 1              a workgroup computes width · repeat packs of 1 or 4 elements: neighbouring
//   pack     0  1  2  …  width − 1              lanes read neighbouring packs, and on software adapters, where starting a
//            width …     2 · width − 1          workgroup costs more than its work, each lane computes 16 of them
//
// Such a kernel does one or two operations for each number that it reads, so memory decides its speed: packs of four are read
// in one load. Tensors may be f32 or f16; the body always computes in f32.

import { type BufferSpec, type Kernel, kernel, targetKey } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import {
  asNumbers,
  elementOf,
  floatTypeOf,
  halfEnables,
  halves,
  type Stored,
  stored,
} from '../wgsl/float16-stores.ts'
import { type Pack, spread, vectorise } from '../wgsl/packs.ts'

/** An expression for every element. All tensors but `tables` have the same size; each is f32 or f16. */
export interface Pointwise {
  name: string
  reads?: Readonly<Record<string, Tensor>>
  writes: Readonly<Record<string, Tensor>>
  /** f32 tensors of any size, read as single numbers. */
  tables?: Readonly<Record<string, Tensor>>
  params?: Readonly<Record<string, number>>
  /** WGSL functions over `number`, which is f32 or vec4f. */
  functions?: string
  /** WGSL statements at the start of a lane; a `return` here changes nothing. */
  before?: string
  /** WGSL statements for the pack at index `i`, such as `y[i] = 2.0 * x[i];`. */
  body: string
}

/** Runs `body` for every pack of the tensors. Throws when their sizes differ. */
export function pointwise(recording: Recording, of: Pointwise): void {
  const tensors = { ...of.reads, ...of.writes }
  const size = commonSize(of.name, Object.values(tensors))
  const packing = vectorise(size)
  const packed = packing.size
  const { width, repeat } = spread(recording.target)
  const stores = stored(recording, packed, of.writes)
  const types = Object.values(of.reads ?? {}).map(floatTypeOf)
  const names = [of.reads, of.writes, of.tables, of.params].map(record => `${Object.keys(record ?? {})}`)
  const key = [
    of.name,
    targetKey(recording.target),
    packed,
    ...names,
    `${types}`,
    stores.key,
    of.before,
    of.body,
  ]
  const define = () => pointwiseKernel(of, { packing, stores, width, repeat })
  recording.dispatch(kernel(key, define), {
    params: { count: size / packed, ...of.params },
    buffers: { ...tensors, ...of.tables, ...stores.buffers },
    grid: Math.ceil(size / packed / (width * repeat)),
  })
}

function pointwiseKernel(
  of: Pointwise,
  { packing, stores, width, repeat }: { packing: Pack; stores: Stored; width: number; repeat: number },
): Kernel {
  const specs = (tensors: Readonly<Record<string, Tensor>> | undefined, access: 'read' | 'write') =>
    Object.fromEntries(
      Object.entries(tensors ?? {}).map(([name, tensor]): [string, BufferSpec] => {
        return [name, { element: elementOf(floatTypeOf(tensor), packing.size), access }]
      }),
    )
  const tables = Object.keys(of.tables ?? {}).map((name): [string, BufferSpec] => {
    return [name, { element: 'f32', access: 'read' }]
  })
  const buffers: Record<string, BufferSpec> = {
    ...specs(of.reads, 'read'),
    ...specs(of.writes, 'write'),
    ...Object.fromEntries(tables),
    ...stores.specs,
  }
  const floats = Object.keys(of.params ?? {}).map(name => [name, 'f32'] as const)
  const params: Record<string, 'u32' | 'f32'> = { count: 'u32', ...Object.fromEntries(floats) }
  const code = `${packing.declarations}${stores.functions}${of.functions ?? ''}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${of.before ?? ''}
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.count);
  for (var i = start; i < end; i += ${width}u) {
    ${typed(of)}
  }
}`
  return { name: of.name, enables: stores.enables || halfEnables(of.reads), params, buffers, code }
}

/** The body with conversions of the float16 tensors that it reads and writes. */
function typed({ reads, writes, body }: Pointwise): string {
  let text = body
  for (const name of halves(writes))
    text = text.replace(
      new RegExp(`\\b${name}\\[i\\] = ([^;]*);`, 'g'),
      (_, value: string) =>
        `${name}[i] = stored_${name}(${value.replaceAll(`${name}[i]`, `number(${name}[i])`)});`,
    )
  return asNumbers(text, reads)
}

function commonSize(name: string, tensors: readonly Tensor[]): number {
  const size = sizeOf(tensors[0].shape)
  const other = tensors.find(tensor => sizeOf(tensor.shape) !== size)
  if (other)
    throw new Error(
      `${name}: all tensors must have one size, got ${tensors.map(({ label, shape }) => `${label} (${shape.join(', ')})`).join(', ')}`,
    )
  return size
}
