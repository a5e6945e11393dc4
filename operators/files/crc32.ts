// Node has zlib.crc32 from 20.15 on; flow runs on earlier ones.

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1
  return sum
})

/** The checksum of zip files; `sum` is that of the bytes before. */
export function crc32(bytes: Uint8Array, sum = 0): number {
  let rest = ~sum
  for (let i = 0; i < bytes.length; i++) rest = (table[(rest ^ (bytes[i] ?? 0)) & 255] ?? 0) ^ (rest >>> 8)
  return ~rest >>> 0
}
