// Features of a prompt as a file in the folder that the processes of one machine share: too large for a message, and read
// sooner than they are made again.
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { type FileHandle, open, writeFile } from 'node:fs/promises'
import type { WireContext } from '../../engine/operator.ts'
import { codeOf } from '../../engine/shared/errors.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { inside } from '../../engine/shared/inside.ts'
import type { Device } from '../../kernels/device/device.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'
import { readInto } from '../model/files/safetensors.ts'

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
  const file = await open(path).catch(error => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
  if (!file) return undefined
  const device = await sharedDevice(context)
  const tensor = await loaded(file, path, shape, device).finally(() => file.close())
  const dispose = () => {
    device.freeTensor(tensor)
    rmSync(path, { force: true })
  }
  return { tensor, bytes: bytesOf(tensor), dispose }
}

/** A tensor of a file's numbers: a thread reads them into memory that the GPU copies, so that they do not hold up this one. */
async function loaded(file: FileHandle, path: string, shape: readonly number[], device: Device) {
  const { size } = await file.stat()
  if (size !== sizeOf(shape) * 4)
    throw new TypeError(
      `${path}: must have the ${sizeOf(shape) * 4} bytes of (${shape}) numbers, has ${size}`,
    )
  const about = { label: 'features to upload', size, usage: GPUBufferUsage.COPY_SRC }
  const staging = device.gpu.createBuffer({ ...about, mappedAtCreation: true })
  try {
    await readInto(path, file, 0, new Uint8Array(staging.getMappedRange()))
    staging.unmap()
    const tensor = device.tensor('features', shape, 'f32')
    const encoder = device.gpu.createCommandEncoder()
    encoder.copyBufferToBuffer(staging, 0, tensor.storage.buffer, 0, size)
    device.submit(encoder)
    return tensor
  } finally {
    staging.destroy()
  }
}
