import { writeFile } from '../../../engine/platform/files.ts'
import { dirname } from '../../../engine/platform/paths.ts'
import { makeFolder } from '../../../engine/shared/files.ts'
import { replaceFileBy } from '../../../engine/shared/replace-file.ts'
import type { Picture } from '../picture.ts'

/** What of the browser's canvas is used here; the types of Node do not know it. */
interface Drawing {
  OffscreenCanvas: new (
    width: number,
    height: number,
  ) => {
    getContext(kind: '2d'): { putImageData(data: object, x: number, y: number): void } | null
    convertToBlob(options: { type: string; quality: number }): Promise<Blob>
  }
  ImageData: new (pixels: Uint8ClampedArray, width: number, height: number) => object
}

/** `Codecs.writeJpeg` by a canvas. */
export async function writeJpeg(
  path: string,
  { width, height, pixels }: Picture,
  quality: number,
): Promise<void> {
  const { OffscreenCanvas, ImageData } = globalThis as unknown as Drawing
  const opaque = new Uint8ClampedArray(width * height * 4).fill(255)
  for (let i = 0; i < width * height; i++) opaque.set(pixels.subarray(i * 3, i * 3 + 3), i * 4)
  const canvas = new OffscreenCanvas(width, height)
  canvas.getContext('2d')?.putImageData(new ImageData(opaque, width, height), 0, 0)
  // ffmpeg's scale goes from 2, the best, to 31
  const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 1 - quality / 31 })
  const bytes = new Uint8Array(await blob.arrayBuffer())
  makeFolder(dirname(path))
  await replaceFileBy(path, partial => writeFile(partial, bytes))
}
