// Features of a prompt as a file in the folder that the processes of one machine share: too large for a message, and read
// sooner than they are made again.
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import type { WireContext } from '../../engine/operator.ts'
import { codeOf } from '../../engine/shared/errors.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { inside } from '../../engine/shared/inside.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'

/** Files that were begun and that no message names yet. */
const begun = new WeakMap<Tensor, Promise<string | undefined>>()

/** Begins to write features; what it returns removes the file unless a message names it. */
export function beginFeatures(features: Tensor, context: WireContext): (() => void) | undefined {
  const { nearby } = context
  if (nearby === undefined) return undefined
  const writing = writeFeatures(features, context)
  begun.set(features, writing)
  const remove = (name: string | undefined) => {
    if (name !== undefined) rmSync(inside(nearby, name), { force: true })
  }
  writing.catch(() => {}) // who packs the features is told
  return () => {
    if (begun.delete(features)) void writing.then(remove, () => {})
  }
}

/** The file of features for a message: the one that was begun, or a new one; undefined where there is no such folder. */
export function featureFile(features: Tensor, context: WireContext): Promise<string | undefined> {
  const early = begun.get(features)
  begun.delete(features)
  return early ?? writeFeatures(features, context)
}

/** Writes features, f32, and returns the file's name; undefined where there is no such folder. */
async function writeFeatures(features: Tensor, context: WireContext): Promise<string | undefined> {
  const { nearby } = context
  if (nearby === undefined) return undefined
  const device = await sharedDevice(context)
  const bytes = await device.readBytes(features)
  makeFolder(nearby)
  const name = `${randomUUID()}.f32`
  await writeFile(inside(nearby, name), new Uint8Array(bytes))
  return name
}

/** Features of a shape from a file; `dispose` frees them and removes it. Undefined where the file is not seen. */
export async function readFeatures(name: string, shape: readonly number[], context: WireContext) {
  if (context.nearby === undefined) return undefined
  const path = inside(context.nearby, name)
  const bytes = await readFile(path).catch(error => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
  if (!bytes) return undefined
  if (bytes.length !== sizeOf(shape) * 4)
    throw new TypeError(
      `${path}: must have the ${sizeOf(shape) * 4} bytes of (${shape}) numbers, has ${bytes.length}`,
    )
  const device = await sharedDevice(context)
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, sizeOf(shape))
  const tensor = device.tensor('features', shape, 'f32', numbers)
  const dispose = () => {
    device.freeTensor(tensor)
    rmSync(path, { force: true })
  }
  return { tensor, bytes: bytesOf(tensor), dispose }
}
