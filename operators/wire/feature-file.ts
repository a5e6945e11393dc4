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

/** Writes features, f32, and returns the file's name; undefined where there is no such folder. */
export async function writeFeatures(features: Tensor, context: WireContext): Promise<string | undefined> {
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
