import { stat, writeFile } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { sizeOf } from '../../../kernels/device/tensor.ts'
import { storedBytesPerElement, type TensorToWrite, writeSafetensors } from '../files/safetensors-write.ts'

/** A file of weights that was written. */
export interface WrittenFile {
  path: string
  bytes: number
}

/** Bytes of tensors in one file of a released checkpoint. */
export const usualShardBytes = 5e9

/** Writes tensors as one file, or as shards of at most `limit` bytes with an index. Yields the files as they are done. */
export async function* writeShards(
  folder: string,
  tensors: readonly TensorToWrite[],
  limit: number,
): AsyncGenerator<WrittenFile> {
  const shards = shardsOf(tensors, limit)
  const weightMap = new Map<string, string>()
  for (const [i, shard] of shards.entries()) {
    const name = shardName(i, shards.length)
    await writeSafetensors(join(folder, name), shard)
    for (const tensor of shard) weightMap.set(tensor.name, name)
    yield { path: join(folder, name), bytes: (await stat(join(folder, name))).size }
  }
  if (shards.length === 1) return
  const metadata = { total_size: tensors.reduce((sum, tensor) => sum + storedBytes(tensor), 0) }
  const index = JSON.stringify({ metadata, weight_map: Object.fromEntries(weightMap) }, null, 2)
  await writeFile(join(folder, 'model.safetensors.index.json'), `${index}\n`)
}

/** Tensors in the order of the model, as many in a file as fit. */
function shardsOf(tensors: readonly TensorToWrite[], limit: number): TensorToWrite[][] {
  const shards: TensorToWrite[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const tensor of tensors) {
    const size = storedBytes(tensor)
    if (bytes + size > limit) {
      shards.push([])
      bytes = 0
    }
    shards.at(-1)?.push(tensor)
    bytes += size
  }
  return shards
}

const storedBytes = ({ shape, dtype }: TensorToWrite): number => sizeOf(shape) * storedBytesPerElement[dtype]

const shardName = (i: number, count: number): string =>
  count === 1
    ? 'model.safetensors'
    : `model-${String(i + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.safetensors`
