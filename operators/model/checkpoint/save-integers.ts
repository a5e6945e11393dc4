import { copyFile, readdir, writeFile } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { makeFolder } from '../../../engine/shared/files.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { sizeOf } from '../../../kernels/device/tensor.ts'
import { quantiseReference } from '../../../kernels/weights/integers.ts'
import type { Packing } from '../../../kernels/weights/packed-rows.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import { isFloatFormat } from '../files/float-formats.ts'
import { readJsonFile } from '../files/json-file.ts'
import { readBytes } from '../files/safetensors.ts'
import type { TensorToWrite } from '../files/safetensors-write.ts'
import type { Checkpoint } from './checkpoint.ts'
import { refuseOther } from './new-checkpoint.ts'
import { type PackedTensors, packIntegers } from './pack-integers.ts'
import { partName } from './packed-tensors.ts'
import { isPacked, partsOf } from './packing.ts'
import { otherFiles } from './save-model.ts'
import { usualShardBytes, writeShards } from './write-shards.ts'

export interface IntegerOptions {
  weights: 'int4' | 'int8'
  groupSize: number
}

const packingOf = ({ weights, groupSize }: IntegerOptions): Packing =>
  weights === 'int4'
    ? { method: 'awq', bits: 4, groupSize, zeroOffset: 0 }
    : { method: 'gptq', bits: 8, groupSize, zeroOffset: 0 }

/** The weights that become integers. Throws where there are none, or the checkpoint is one of integers already. */
export function packableWeights({ folder, config, tensors }: Checkpoint, options: IntegerOptions): string[] {
  const { bits, groupSize } = packingOf(options)
  const fail = (message: string) => new CheckpointError({ code: 'bad-config', message })
  if (config.integers) throw fail(`${folder}: its weights are integers already`)
  if (groupSize % 8 !== 0) throw fail(`groupSize: must be a multiple of 8, got ${groupSize}`)
  const layers = [...tensors].filter(([name, { shape }]) => isPacked(name, shape, { kept: [] }))
  const names = layers.flatMap(
    ([
      name,
      {
        shape: [outputs = 0, inputs = 0],
      },
    ]) => (outputs % (32 / bits) === 0 && inputs % groupSize === 0 ? [name] : []),
  )
  if (names.length > 0) return names
  const inputs = [...new Set(layers.map(([, { shape }]) => shape[1]))]
  throw fail(`groupSize: must divide the inputs of layers (${inputs.join(', ')}), got ${groupSize}`)
}

/**
 * Writes a checkpoint whose language model is integers, and everything else is as it was. One weight at a time is in memory. Throws before
 * it writes if the folder has a checkpoint.
 */
export async function writeIntegers(
  checkpoint: Checkpoint,
  folder: string,
  options: IntegerOptions & { signal?: AbortSignal },
): Promise<void> {
  const packing = packingOf(options)
  const packed = new Set(packableWeights(checkpoint, options))
  await refuseOther(folder)
  makeFolder(folder)
  for (const name of await readdir(checkpoint.folder))
    if (otherFiles.test(name) && !written.test(name))
      await copyFile(join(checkpoint.folder, name), join(folder, name))
  const tensors = tensorsOf(checkpoint, packed, packing, options.signal)
  for await (const _ of writeShards(folder, tensors, usualShardBytes));
  // Last, because a folder without it is no checkpoint.
  const json = await readJsonFile(join(checkpoint.folder, 'config.json'))
  const quantization_config = configOf(packing, keptModules(checkpoint, packed))
  const config = { ...(isObject(json) && json), quantization_config }
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
}

/** Files that are not copied. */
const written = /^(config|model\.safetensors\.index)\.json$/

/** In the words of the libraries. */
const configOf = ({ method, bits, groupSize }: Packing, kept: readonly string[]) =>
  method === 'awq'
    ? {
        quant_method: method,
        bits,
        group_size: groupSize,
        zero_point: true,
        version: 'gemm',
        modules_to_not_convert: kept,
      }
    : {
        quant_method: method,
        bits,
        group_size: groupSize,
        desc_act: false,
        sym: false,
        checkpoint_format: 'gptq_v2',
      }

/** Names of the modules that stay floats: parts without integers by their first word. */
function keptModules({ config: { names }, tensors }: Checkpoint, packed: ReadonlySet<string>): string[] {
  const partOf = (name: string) => names.stored(name).split('.')[0] ?? ''
  const parts = new Set([...packed].map(partOf))
  const modules = [...tensors].flatMap(([name, { shape }]) => {
    if (packed.has(name) || shape.length < 2 || !name.endsWith('.weight')) return []
    return [parts.has(partOf(name)) ? names.stored(name).replace(/\.weight$/, '') : partOf(name)]
  })
  return [...new Set(modules)]
}

/** The floats of the files as they are, and in place of a packed weight its parts. */
function tensorsOf(
  checkpoint: Checkpoint,
  packed: ReadonlySet<string>,
  packing: Packing,
  signal: AbortSignal | undefined,
): TensorToWrite[] {
  const { names } = checkpoint.config
  const pack = async (name: string, shape: readonly number[]): Promise<PackedTensors> => {
    signal?.throwIfAborted()
    const values = new Float32Array(sizeOf(shape))
    let at = 0
    for await (const piece of checkpoint.read(name)) {
      values.set(piece, at)
      at += piece.length
    }
    return packIntegers(quantiseReference(values, shape, packing), shape, packing)
  }
  return checkpoint.files.flatMap(file =>
    [...file.tensors].flatMap(([stored, { dtype, shape }]): TensorToWrite[] => {
      const name = names.own(stored)
      if (packed.has(name)) {
        // The parts follow one another in the file: they are made once, when the first is asked for, and dropped after the last.
        const parts = partsOf(shape, packing)
        let made: Promise<PackedTensors> | undefined
        let left = parts.length
        return parts.map(part => {
          const chunks = (async function* () {
            made ??= pack(name, shape)
            const { buffer } = (await made)[part.part]
            if (--left === 0) made = undefined
            yield new Uint8Array(buffer)
          })()
          const type = part.part === 'scales' ? 'F16' : 'I32'
          return { name: names.stored(partName(name, part)), shape: part.shape, dtype: type, chunks }
        })
      }
      return isFloatFormat(dtype) ? [{ name: stored, shape, dtype, chunks: readBytes(file, stored) }] : []
    }),
  )
}
