// The trained weights as other processes of the run take them: once for each update, so that every fraction of a second counts.
//
//   weights.bin   │ trained weights in float32, buffer after buffer, as they lie on the GPU │
//   places.json   where each weight begins; another GPU may divide the weights otherwise among its buffers
import { writeFile } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { storageOf } from '../../../kernels/device/storage-of.ts'
import { bytesOf } from '../../../kernels/device/tensor.ts'
import type { Parameter } from '../../../kernels/layers/pass.ts'
import type { ParameterSet } from '../../../kernels/networks/parameters.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import { readJsonFile } from '../files/json-file.ts'
import { readWhole, withFile } from '../files/safetensors.ts'
import { readPieces } from '../files/tensor-pieces.ts'
import { writeWholeFile } from '../files/whole-file.ts'
import type { LoadedModel } from './load-model.ts'

const weightsName = 'weights.bin'
const placesName = 'places.json'
const pieceBytes = 16 * 2 ** 20

/** Writes the trained weights and the version of a model into a folder. */
export async function writeTrained(model: LoadedModel, folder: string, signal: AbortSignal): Promise<void> {
  const { weights, version } = model
  const places = trainedOf(weights).map(({ name, value }) => [name, placeOf(value, weights), bytesOf(value)])
  await writeFile(join(folder, placesName), JSON.stringify({ version, places }))
  await writeWholeFile(join(folder, weightsName), bytesOfSlabs(model, signal))
}

async function* bytesOfSlabs(
  { device, weights }: LoadedModel,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const { values } of weights.slabs)
    for await (const piece of readPieces(device, values, signal)) yield new Uint8Array(piece.buffer)
}

/** Sets the trained weights of a model, opened from the same checkpoint, to those that `writeTrained` wrote. */
export async function readTrained(model: LoadedModel, folder: string): Promise<void> {
  const { device, weights } = model
  const written = await readJsonFile(join(folder, placesName))
  const { version, places } = isObject(written) ? written : {}
  const found = new Map(Array.isArray(places) ? places.map(([name, ...place]) => [name, place]) : [])
  const path = join(folder, weightsName)
  await withFile(path, async handle => {
    const { size } = await handle.stat()
    const piece = new Float32Array(pieceBytes / 4)
    /** What the piece holds: bytes of the file from here, up to there. */
    let [start, end] = [0, 0]
    /** Numbers of the file; many weights are small, so that one read serves several. */
    const numbersAt = async (begin: number, bytes: number) => {
      if (begin < start || begin + bytes > end) {
        start = begin
        end = Math.min(begin + pieceBytes, Math.max(size, begin + bytes))
        await readWhole(path, handle, start, new Uint8Array(piece.buffer, 0, end - start))
      }
      return piece.subarray((begin - start) / 4, (begin - start + bytes) / 4)
    }
    for (const { name, value } of trainedOf(weights)) {
      const [begin, bytes] = found.get(name) ?? []
      if (bytes !== bytesOf(value)) {
        const message = `${path}: must hold ${bytesOf(value)} bytes of ${name}, found ${bytes ?? 'none'}`
        throw new CheckpointError({ code: 'wrong-shape', message })
      }
      for (let at = 0; at < bytes; at += pieceBytes) {
        const values = await numbersAt(begin + at, Math.min(pieceBytes, bytes - at))
        device.write(value, values, at / 4)
      }
    }
  })
  model.version = Number(version)
}

const trainedOf = ({ byName }: ParameterSet): Parameter[] =>
  [...byName.values()].filter(({ gradient }) => gradient !== undefined)

/** Where a trained weight begins in the buffers of trained weights, one after the other. */
function placeOf(value: Parameter['value'], { slabs }: ParameterSet): number {
  const { buffer, offsetBytes } = storageOf(value)
  let begin = 0
  for (const { values } of slabs) {
    if (storageOf(values).buffer === buffer) return begin + offsetBytes
    begin += bytesOf(values)
  }
  throw new Error(`${value.label}: must lie in a buffer of trained weights`)
}
