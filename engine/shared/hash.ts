/** A bijection on 32-bit integers that spreads each bit over all others: the finaliser of MurmurHash3. */
export function mixBits(value: number): number {
  let bits = value >>> 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** 32-bit hash of a text: FNV-1a over its UTF-8 bytes, then mixed. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return mixBits(hash)
}
