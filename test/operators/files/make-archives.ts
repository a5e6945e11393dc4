import { deflateRawSync, gzipSync } from 'node:zlib'
import { crc32 } from '../../../operators/files/crc32.ts'

type Files = Readonly<Record<string, Buffer>>

export interface ZipOptions {
  deflate?: boolean
  encrypted?: boolean
  /** Sizes and places in fields of 8 bytes. */
  large?: boolean
  /** Bytes of each volume; the archive states on which of them a file begins. */
  volumeBytes?: number
}

/** A zip archive of files. */
export function zipOf(files: Files, { deflate, encrypted, large, volumeBytes }: ZipOptions = {}): Buffer {
  const blocks: Buffer[] = []
  const list: Buffer[] = []
  const length = () => blocks.reduce((sum, block) => sum + block.length, 0)
  const placeOf = (at: number) => {
    return volumeBytes ? { volume: Math.floor(at / volumeBytes), at: at % volumeBytes } : { volume: 0, at }
  }
  for (const [name, content] of Object.entries(files)) {
    const packed = deflate ? deflateRawSync(content) : content
    const { volume, at } = placeOf(length())
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(45, 0)
    fields.writeUInt16LE(encrypted ? 1 : 0, 2)
    fields.writeUInt16LE(deflate ? 8 : 0, 4)
    fields.writeUInt32LE(crc32(content), 10)
    fields.writeUInt32LE(packed.length, 14)
    fields.writeUInt32LE(content.length, 18)
    fields.writeUInt16LE(Buffer.byteLength(name), 22)
    const extraOfFile = Buffer.from([9, 9, 2, 0, 1, 2])
    fields.writeUInt16LE(extraOfFile.length, 24)
    blocks.push(Buffer.from('PK\x03\x04'), Buffer.from(fields), Buffer.from(name), extraOfFile, packed)
    const extra = large ? Buffer.alloc(28) : Buffer.alloc(0)
    if (large) {
      fields.fill(0xff, 14, 22)
      extra.writeUInt16LE(1, 0)
      extra.writeUInt16LE(24, 2)
      for (const [i, value] of [content.length, packed.length, at].entries())
        extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
    }
    fields.writeUInt16LE(extra.length, 24)
    const rest = Buffer.alloc(14)
    rest.writeUInt16LE(volume, 2)
    rest.writeUInt32LE(large ? 0xffffffff : at, 10)
    list.push(Buffer.from('PK\x01\x02-\0'), Buffer.from(fields), rest, Buffer.from(name), extra)
  }
  const listed = Buffer.concat(list)
  const start = placeOf(length())
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(volumeBytes ? placeOf(length() + listed.length).volume : 0, 4)
  end.writeUInt16LE(start.volume, 6)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(start.at, 16)
  if (!large) return Buffer.concat([...blocks, listed, end])
  const wide = Buffer.alloc(56)
  wide.write('PK\x06\x06', 0, 'latin1')
  wide.writeBigUInt64LE(BigInt(listed.length), 40)
  wide.writeBigUInt64LE(BigInt(start.at), 48)
  const locator = Buffer.alloc(20)
  locator.write('PK\x06\x07', 0, 'latin1')
  locator.writeBigUInt64LE(BigInt(length() + listed.length), 8)
  end.fill(0xff, 12, 20)
  return Buffer.concat([...blocks, listed, wide, locator, end])
}

/** A tar archive of files; a name of more than 100 characters comes in a file of its own before. */
export function tarOf(files: Files, form: 'gnu' | 'pax' = 'pax'): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const block = blockOf(name.slice(0, 100), '0', content)
    if (name.length <= 100) return [block]
    if (form === 'gnu') return [blockOf('././@LongLink', 'L', Buffer.from(`${name}\0`)), block]
    return [blockOf('PaxHeaders/x', 'x', paxLine('path', name)), block]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** A field of the header before a file. */
export function paxLine(key: string, value: string): Buffer {
  const line = ` ${key}=${value}\n`
  const length = line.length + String(line.length + 3).length
  return Buffer.from(`${length}${line}`)
}

/** A file of a tar archive; `size` is what its header says. */
export function blockOf(
  name: string,
  type: string,
  content: Buffer,
  size = content.length.toString(8).padStart(11, '0'),
): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(`${size}\0`, 124)
  header.write('        ', 148)
  header.write(`${type}ustar\0`, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

export const tarGzOf = (files: Files): Buffer => gzipSync(tarOf(files))

/** Bytes cut into parts of one length. */
export const partsOf = (bytes: Buffer, length: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) =>
    bytes.subarray(i * length, (i + 1) * length),
  )
