/** What a pool asks of a device. */
interface Maker {
  /** Largest room that may be asked for. */
  readonly most: number
  make(label: string, bytes: number): GPUBuffer
  destroy(buffer: GPUBuffer): void
}

/**
 * Buffers that are lent and given back. Making a buffer, and destroying it, costs about 20 ms a GB, so they are kept for
 * the next borrower. Their contents are what the last borrower left.
 */
export class BufferPool {
  readonly #maker: Maker
  readonly #idle = new Set<GPUBuffer>()
  readonly #lent = new WeakSet<GPUBuffer>()

  constructor(maker: Maker) {
    this.#maker = maker
  }

  /** Of the buffers that are not lent. */
  get idleBytes(): number {
    let bytes = 0
    for (const { size } of this.#idle) bytes += size
    return bytes
  }

  /** A buffer of at least that size: `wanted` if it is free, else the smallest that is not much too large, else a new one. */
  borrow(label: string, bytes: number, wanted?: GPUBuffer): GPUBuffer {
    const room = roomFor(bytes, this.#maker.most)
    const suits = (buffer: GPUBuffer) => buffer.size >= bytes && buffer.size <= mostWaste * room
    const fitting = [...this.#idle].filter(suits).sort((a, b) => a.size - b.size)
    const found = fitting.find(buffer => buffer === wanted) ?? fitting.at(0)
    if (!found) this.#replaceOutgrown(bytes)
    const buffer = found ?? this.#maker.make(label, room)
    this.#idle.delete(buffer)
    this.#lent.add(buffer)
    return buffer
  }

  /** Takes back a buffer that was lent; false for any other. */
  giveBack(buffer: GPUBuffer): boolean {
    if (!this.#lent.delete(buffer)) return false
    this.#idle.add(buffer)
    return true
  }

  /** Destroys what nobody has borrowed. */
  clear(): void {
    for (const buffer of this.#idle) this.#maker.destroy(buffer)
    this.#idle.clear()
  }

  /** A buffer grows by being replaced: the largest of those that have become a little too small goes. */
  #replaceOutgrown(bytes: number): void {
    const [outgrown] = [...this.#idle]
      .filter(({ size }) => size < bytes && size * mostWaste >= bytes)
      .sort((a, b) => b.size - a.size)
    if (!outgrown) return
    this.#idle.delete(outgrown)
    this.#maker.destroy(outgrown)
  }
}

/** How many times larger than asked for a lent buffer may be. */
const mostWaste = 4

/** Sizes come in steps of an eighth, so that lengths that differ a little find the same buffers. */
export function roomFor(bytes: number, most: number): number {
  const step = 2 ** Math.max(8, Math.floor(Math.log2(Math.max(1, bytes))) - 3)
  return Math.max(bytes, Math.min(Math.ceil(bytes / step) * step, most))
}
