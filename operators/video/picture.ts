import { at } from '../../engine/shared/at.ts'

/** A picture of packed 8-bit RGB. */
export interface Picture {
  width: number
  height: number
  pixels: Uint8Array
}

/** The picture made narrower, its proportions kept: each new pixel is the mean of up to 3 × 3 old ones in its place. */
export function thumbnail({ width, height, pixels }: Picture, newWidth: number): Picture {
  const w = Math.min(newWidth, width)
  const h = Math.max(1, Math.round((height * w) / width))
  const out = new Uint8Array(w * h * 3)
  const taps = 3
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0
        for (let j = 0; j < taps; j++)
          for (let i = 0; i < taps; i++) {
            const row = Math.floor(((y + (j + 0.5) / taps) * height) / h)
            const column = Math.floor(((x + (i + 0.5) / taps) * width) / w)
            sum += at(pixels, (row * width + column) * 3 + channel)
          }
        out[(y * w + x) * 3 + channel] = Math.round(sum / taps ** 2)
      }
    }
  return { width: w, height: h, pixels: out }
}

/** Pixels between two pictures of a sheet, and their level: without them neighbouring frames look like one wide picture. */
const gap = 2
const gapLevel = 224

/** Pictures of one size side by side, `columns` in a row, with a light line between neighbours. */
export function tile(pictures: readonly Picture[], columns: number): Picture {
  const { width = 1, height = 1 } = pictures[0] ?? {}
  const across = Math.min(columns, pictures.length)
  const down = Math.ceil(pictures.length / across)
  const sheet = { width: across * (width + gap) - gap, height: down * (height + gap) - gap }
  const pixels = new Uint8Array(sheet.width * sheet.height * 3).fill(gapLevel)
  for (const [i, picture] of pictures.entries()) {
    const [left, top] = [(i % across) * (width + gap), Math.floor(i / across) * (height + gap)]
    for (let y = 0; y < height; y++)
      pixels.set(
        picture.pixels.subarray(y * width * 3, (y + 1) * width * 3),
        ((top + y) * sheet.width + left) * 3,
      )
  }
  return { ...sheet, pixels }
}
