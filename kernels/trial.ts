import { isShape } from './device/given.ts'
import { sizeOf, type Tensor } from './device/tensor.ts'
import type { Recording } from './plan/recording.ts'

/** What a tensor (f32) holds: its numbers when it has one dimension, else its shape and its numbers, row after row. */
export type TrialTensor =
  | ArrayLike<number>
  | { readonly shape: readonly number[]; readonly values: ArrayLike<number> }

/** One call of a kernel: what it is given, and what it must write. */
export interface KernelTrial {
  /** What each tensor that it reads holds, by name. */
  given: Readonly<Record<string, TrialTensor>>
  /** What each tensor that it writes must then hold, by name: the reference. */
  wanted: Readonly<Record<string, TrialTensor>>
  /** Records the call; tensors by their names. */
  record(recording: Recording, tensors: Readonly<Record<string, Tensor>>): void
}

export interface NamedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array<ArrayBuffer>
}

/** The tensors of a field of a trial, each with its shape. Throws a TypeError for what is no tensor: a trial may be JavaScript. */
export function tensorsOf(stated: KernelTrial['given'], where: string): NamedTensor[] {
  if (typeof stated !== 'object' || stated === null)
    throw new TypeError(`${where}: must be an object of tensors by their names, found ${stated}`)
  return Object.entries(stated).map(([name, tensor]) => ({ name, ...tensorOf(tensor, `${where}.${name}`) }))
}

function tensorOf(stated: unknown, where: string): Omit<NamedTensor, 'name'> {
  const hasShape = typeof stated === 'object' && stated !== null && 'shape' in stated
  const list = hasShape && 'values' in stated ? stated.values : stated
  if (!isList(list))
    throw new TypeError(`${where}: must be a list of numbers or { shape, values }, found ${described(list)}`)
  const numbers = Array.from(list)
  const wrong = numbers.findIndex(value => typeof value !== 'number')
  if (wrong >= 0)
    throw new TypeError(`${where}: must be numbers, found ${described(numbers[wrong])} at ${wrong}`)
  const shape = hasShape ? stated.shape : [numbers.length]
  if (!isShape(shape) || sizeOf(shape) !== numbers.length)
    throw new TypeError(
      `${where}: must have a shape of ${numbers.length} numbers, as the values are, found ${JSON.stringify(shape)}`,
    )
  return { shape, values: Float32Array.from(numbers.map(Number)) }
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)

const described = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? `an object with ${Object.keys(value).join(', ')}`
    : String(value)
