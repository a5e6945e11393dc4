import { largestFloat16 } from '../device/float16.ts'
import type { BufferSpec } from '../device/kernel.ts'
import type { FloatType, Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import type { Pack } from './packs.ts'

/** What kernels over packs need to write tensors of float16 or float32, and to count the numbers that float16 cannot hold. */
export interface Stored {
  enables: string
  /** Part of the kernel's key. */
  key: string
  /** WGSL: `stored_NAME(number)`, the pack as it is stored: a float16 is at most the largest one. */
  functions: string
  /** The counter's binding, where there is one. */
  specs: Record<string, BufferSpec>
  buffers: Record<string, Tensor>
}

export function stored(
  recording: Recording,
  packed: Pack['size'],
  written: Readonly<Record<string, Tensor>>,
): Stored {
  const types = Object.entries(written).map(([name, tensor]) => [name, floatTypeOf(tensor)] as const)
  const half = types.some(([, type]) => type === 'f16')
  const counter = half ? recording.saturated : undefined
  return {
    enables: half ? 'enable f16;\n' : '',
    key: `${types.map(([name, type]) => `${name} ${type}`)} ${counter !== undefined}`,
    functions: types.map(([name, type]) => storedWgsl(name, type, packed, counter !== undefined)).join(''),
    specs: counter ? counterSpec : {},
    buffers: counter ? { saturated: counter } : {},
  }
}

/** What kernels need that write float16 by `kept(f32)` or `kept2(vec2f)`: numbers that these clamp are counted where the recording counts. */
export function counted(recording: Recording): Pick<Stored, 'functions' | 'specs' | 'buffers'> {
  const counter = recording.saturated
  return {
    functions: keptWgsl('f32', counter !== undefined) + keptWgsl('vec2f', counter !== undefined),
    specs: counter ? counterSpec : {},
    buffers: counter ? { saturated: counter } : {},
  }
}

const counterSpec: Record<string, BufferSpec> = { saturated: { element: 'atomic<u32>', access: 'write' } }

/** The WGSL element of a pack of this type. */
export const elementOf = (type: FloatType, packed: Pack['size']): string =>
  packed === 4 ? `vec4<${type}>` : type

export function floatTypeOf({ label, type }: Tensor): FloatType {
  if (type === 'f32' || type === 'f16') return type
  throw new Error(`${label} must hold f32 or f16, got ${type}`)
}

/** The names of the tensors that hold float16. */
export const halves = (tensors: Readonly<Record<string, Tensor>> | undefined): string[] =>
  Object.entries(tensors ?? {}).flatMap(([name, { type }]) => (type === 'f16' ? [name] : []))

/** WGSL directive of kernels that read these tensors. */
export const halfEnables = (reads: Readonly<Record<string, Tensor>> | undefined): string =>
  halves(reads).length > 0 ? 'enable f16;\n' : ''

/** WGSL in which what is read at `[i]` from tensors of float16 becomes `number`. */
export const asNumbers = (code: string, reads: Readonly<Record<string, Tensor>> | undefined): string =>
  halves(reads).reduce(
    (text, name) => text.replaceAll(new RegExp(`\\b${name}\\[i\\]`, 'g'), `number(${name}[i])`),
    code,
  )

function storedWgsl(name: string, type: FloatType, packed: Pack['size'], counts: boolean): string {
  const element = elementOf(type, packed)
  if (type === 'f32') return `\nfn stored_${name}(value: number) -> ${element} { return value; }`
  return `
fn stored_${name}(value: number) -> ${element} {
  let kept = clamp(value, number(-${largestFloat16}.0), number(${largestFloat16}.0));
  ${counts ? 'if (any(kept != value)) { atomicAdd(&saturated[0], 1u); }' : ''}
  return ${element}(kept);
}`
}

const keptWgsl = (type: 'f32' | 'vec2f', counts: boolean): string => `
fn kept${type === 'f32' ? '' : '2'}(value: ${type}) -> ${type} {
  let kept = ${withinFloat16('value', type)};
  ${counts ? 'if (any(kept != value)) { atomicAdd(&saturated[0], 1u); }' : ''}
  return kept;
}`

/** WGSL: the value, or the largest float16 of its sign. */
export const withinFloat16 = (value: string, type = 'f32'): string =>
  `clamp(${value}, ${type}(-${largestFloat16}.0), ${type}(${largestFloat16}.0))`
