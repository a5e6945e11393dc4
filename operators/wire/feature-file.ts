// Features of a prompt as a file in the folder that the processes of one machine share: too large for a message, and read
// sooner than they are made again.
import { randomUUID } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import type { WireContext } from '../../engine/operator.ts'
import { codeOf } from '../../engine/shared/errors.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { inside } from '../../engine/shared/inside.ts'
import type { Device } from '../../kernels/device/device.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'
import type { PromptMade } from '../kinds.ts'
import { readWhole } from '../model/files/safetensors.ts'
import { laterFeatures } from '../model/later-features.ts'

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

/** Where features lie, and whether `dispose` leaves the file to another process. */
export type FeaturePlace = Required<Pick<PromptMade, 'file' | 'shape'>> & Pick<PromptMade, 'lent'>

/** Features from a file; `dispose` frees them and removes it. Undefined where the file is not seen. */
export async function readFeatures(place: FeaturePlace, context: WireContext) {
  const path = pathOf(place, context)
  if (path === undefined) return undefined
  const device = await sharedDevice(context)
  const tensor = await loaded(path, place.shape, device)
  return tensor && { tensor, ...about(tensor, path, place, () => device.freeTensor(tensor)) }
}

/** The same, but the file is only looked at: `loadFeatures` reads it. */
export async function featuresInFile(place: FeaturePlace, context: WireContext) {
  const path = pathOf(place, context)
  if (path === undefined) return undefined
  const device = await sharedDevice(context)
  const { tensor, dispose } = laterFeatures(device, place.shape, async () => {
    const read = await loaded(path, place.shape, device)
    if (read) return read
    throw new Error(`${path}: must hold the features of a prompt until its item is released, found no file`)
  })
  return { tensor, ...about(tensor, path, place, dispose) }
}

/** The path of a file of the right size; undefined where it is not seen. */
function pathOf({ file, shape }: FeaturePlace, { nearby }: WireContext): string | undefined {
  const path = nearby === undefined ? undefined : inside(nearby, file)
  const size = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size
  if (path === undefined || size === undefined) return undefined
  const numbers = sizeOf(shape)
  if (size === numbers * 4) return path
  throw new TypeError(`${path}: must have the ${numbers * 4} bytes of (${shape}) numbers, has ${size}`)
}

const about = (tensor: Tensor, path: string, { lent }: FeaturePlace, free: () => void) => ({
  bytes: bytesOf(tensor),
  dispose: () => {
    free()
    if (!lent) rmSync(path, { force: true })
  },
})

/** A tensor of the numbers in a file; undefined without the file. */
async function loaded(path: string, shape: readonly number[], device: Device) {
  const file = await open(path).catch(error => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
  if (!file) return undefined
  // a thread reads the numbers, so that they do not hold up this one
  const read = (memory: Uint8Array) => readWhole(path, file, 0, memory.subarray(0, sizeOf(shape) * 4))
  return device.upload('features', shape, 'f32', read).finally(() => file.close())
}
