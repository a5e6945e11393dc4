// What is given to a device: a plugin in JavaScript may give anything.
import { DeviceError } from './device-error.ts'

export const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(size => Number.isInteger(size) && size >= 0)

export function refuseUnlessShape(label: string, shape: unknown): void {
  if (isShape(shape)) return
  const rule = 'must have a shape, a list of whole numbers such as [2, 3]'
  throw new DeviceError('bad-shape', `${label}: ${rule}, found ${shown(shape)}`)
}

/** `bytes`: those of an element. */
export function refuseUnlessElements(label: string, data: unknown, bytes: number): void {
  if (ArrayBuffer.isView(data) && 'BYTES_PER_ELEMENT' in data && data.BYTES_PER_ELEMENT === bytes) return
  const rule = `must be written from a typed array of ${bytes} bytes an element`
  throw new DeviceError('bad-write', `${label}: ${rule}, found ${nameOf(data)}`)
}

const shown = (value: unknown): string =>
  ArrayBuffer.isView(value) ? nameOf(value) : (JSON.stringify(value) ?? String(value))

const nameOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? `a value of ${value.constructor?.name}` : String(value)
