import type { MatrixUnits } from './adapter.ts'
import type { Family } from './family.ts'

/** A compute kernel as data. `code` is WGSL with an entry point `main`; `declare` writes the declarations before it. */
export interface Kernel<P extends string = string, B extends string = string> {
  readonly name: string
  /** Scalars, in `params.NAME`. */
  readonly params: Readonly<Record<P, 'u32' | 'i32' | 'f32'>>
  /** Storage arrays by name, in binding order: element type and whether the kernel writes it. */
  readonly buffers: Readonly<Record<B, BufferSpec>>
  /** WGSL directives such as `enable subgroups;`. */
  readonly enables?: string
  readonly code: string
}

export interface BufferSpec {
  readonly element: string
  readonly access: 'read' | 'write'
}

/** The properties of a GPU on which the WGSL of kernels depends; a `Device` has them. */
export interface Target {
  readonly family: Family
  readonly units: MatrixUnits
  readonly subgroupSize: number
}

/**
 * Declares a kernel; the compiler checks the names of its params and buffers at every dispatch. Equal definitions give
 * the same object, so a device compiles each text once.
 */
export function kernel<P extends string, B extends string>(definition: Kernel<P, B>): Kernel<P, B>
/**
 * The same, but `define` runs only the first time that a key is used: a training pass asks for the same few kernels
 * thousands of times, and writing their WGSL again would double the time to record it. The key starts with the kernel's
 * name and holds everything that `define` depends on.
 */
export function kernel<P extends string, B extends string>(
  key: KernelKey,
  define: () => Kernel<P, B>,
): Kernel<P, B>
export function kernel(first: Kernel | KernelKey, define?: () => Kernel): Kernel {
  if (!define) return declared(first as Kernel) // the first overload
  const key = (first as KernelKey).join('|') // the second
  let keyed = ofKeys.get(key)
  if (!keyed) {
    keyed = declared(define())
    ofKeys.set(key, keyed)
  }
  return keyed
}

export type KernelKey = readonly (string | number | boolean | undefined)[]

const ofKeys = new Map<string, Kernel>()

/** By code, then by everything else: the text of a kernel is kept once. */
const definitions = new Map<string, Map<string, Kernel>>()

function declared(definition: Kernel): Kernel {
  const { code, ...rest } = definition
  const key = JSON.stringify(rest)
  const ofCode = definitions.get(code) ?? new Map<string, Kernel>()
  definitions.set(code, ofCode)
  const known = ofCode.get(key)
  if (known) return known
  ofCode.set(key, definition)
  const place = callerIn(new Error().stack ?? '')
  if (place !== undefined) places.set(definition, place)
  return definition
}

const places = new WeakMap<Kernel, string>()

/** Where a kernel was declared, as `FILE:LINE`, for messages; undefined where the engine does not tell. */
export const placeOf = (kernel: Kernel): string | undefined => places.get(kernel)

/** The first place in a stack that is not in this file. */
export function callerIn(stack: string): string | undefined {
  for (const frame of stack.split('\n')) {
    const [, file = '', line] = /(?:file:\/\/)?(\/[^()?]+?)(?:\?[^:]*)?:(\d+):\d+\)?$/.exec(frame) ?? []
    if (file !== '' && !/\/kernels\/device\/kernel\.[jt]s$/.test(file))
      return `${decodeURIComponent(file)}:${line}`
  }
  return undefined
}

/** What a target changes in a kernel, as a part of its key. */
export const targetKey = ({ family, units, subgroupSize }: Target): string =>
  `${family} ${units} ${subgroupSize}`

/** The WGSL before a kernel's own code: directives, params and bindings. */
export function declare(kernel: Kernel, writable: readonly boolean[]): string {
  const params = Object.entries(kernel.params).map(([name, type]) => `  ${name}: ${type},`)
  const buffers = Object.entries(kernel.buffers).map(([name, { element }], i) => {
    return `@group(0) @binding(${i + 1}) var<storage, ${writable[i] ? 'read_write' : 'read'}> ${name}: array<${element}>;`
  })
  return `${kernel.enables ?? ''}
struct Params {
  grid_width: u32,
${params.join('\n')}
}
@group(0) @binding(0) var<uniform> params: Params;
${buffers.join('\n')}
fn workgroup_index(id: vec3u) -> u32 { return id.y * params.grid_width + id.x; }
`
}

/** Writes the uniform that the WGSL calls `params`; throws if a number is missing or not finite. */
export function writeScalars(
  view: DataView,
  kernel: Kernel,
  params: Readonly<Record<string, number>>,
  grid: readonly number[],
): void {
  view.setUint32(0, grid[0] ?? 1, true)
  Object.entries(kernel.params).forEach(([name, type], i) => {
    const value = params[name]
    if (value === undefined || !Number.isFinite(value))
      throw new Error(`kernel "${kernel.name}": params.${name} must be a number, found ${value}`)
    if (type === 'f32') view.setFloat32(4 + i * 4, value, true)
    else if (type === 'i32') view.setInt32(4 + i * 4, value, true)
    else view.setUint32(4 + i * 4, value, true)
  })
}

/** A family's kernel: one workgroup a sequence and head. */
export interface DecodeKernel {
  enables: string
  code: string
}
