import { writeFile } from 'node:fs/promises'
import { float16Bits } from './float16.ts'

export interface NamedTensor {
  name: string
  shape: readonly number[]
  data: ArrayLike<number>
}

export type Format = 'F32' | 'F16' | 'BF16'

/** Writes a safetensors file; float16, which the product never writes, among the formats. */
export async function writeTensors(
  path: string,
  tensors: readonly NamedTensor[],
  format: Format,
): Promise<void> {
  const size = format === 'F32' ? 4 : 2
  let end = 0
  const entries = tensors.map(({ name, shape, data }) => {
    end += data.length * size
    return [name, { dtype: format, shape, data_offsets: [end - data.length * size, end] }]
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const bytes = Buffer.alloc(8 + header.length + end)
  bytes.writeBigUInt64LE(BigInt(header.length))
  header.copy(bytes, 8)
  let at = 8 + header.length
  for (const { data } of tensors)
    for (let i = 0; i < data.length; i++, at += size) {
      if (format === 'F32') bytes.writeFloatLE(data[i], at)
      else bytes.writeUInt16LE(format === 'F16' ? float16Bits(data[i]) : bfloat16Bits(data[i]), at)
    }
  await writeFile(path, bytes)
}

/** The upper half of the float32 nearest to x, ties to even. */
function bfloat16Bits(x: number): number {
  const [word] = new Uint32Array(Float32Array.of(x).buffer)
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff
}
