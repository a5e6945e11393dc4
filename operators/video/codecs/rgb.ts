import type { VideoSample } from 'mediabunny'

/**
 * The visible part of a decoded frame as packed 8-bit RGB. Decoders give brightness and two colours (4:2:0), exactly the same
 * ones as ffmpeg's; they are converted here and not by the browser, so that the pixels do not depend on it. `matrix` is what the
 * container says of its colours; where it says nothing they are taken as BT.601, as ffmpeg does, while browsers guess BT.709.
 */
export async function rgbOf(frame: VideoSample, matrix: string | undefined): Promise<Uint8Array> {
  const { format, visibleRect } = frame
  const { width, height } = visibleRect
  if (format !== 'I420' && format !== 'NV12' && format !== 'I420A') return convertedByBrowser(frame)
  const data = new Uint8Array(frame.allocationSize())
  const [luma, first, second] = await frame.copyTo(data)
  if (!luma || !first) return convertedByBrowser(frame)
  const step = format === 'NV12' ? 2 : 1
  const blue = { ...first, step }
  const red =
    format === 'NV12' || !second ? { ...first, offset: first.offset + 1, step } : { ...second, step }
  const of = weights(matrix === 'bt709' ? 'bt709' : 'bt601', frame.colorSpace.fullRange === true)
  const out = new Uint8ClampedArray(width * height * 3)
  for (let y = 0; y < height; y++) {
    const [lumaRow, blueRow, redRow] = [
      luma.offset + y * luma.stride,
      blue.offset + (y >> 1) * blue.stride,
      red.offset + (y >> 1) * red.stride,
    ]
    for (let x = 0; x < width; x++) {
      const l = ((data[lumaRow + x] ?? 0) - of.black) * of.luma
      const b = (data[blueRow + (x >> 1) * step] ?? 0) - 128
      const r = (data[redRow + (x >> 1) * step] ?? 0) - 128
      const at = (y * width + x) * 3
      out[at] = l + of.redToRed * r
      out[at + 1] = l - of.blueToGreen * b - of.redToGreen * r
      out[at + 2] = l + of.blueToBlue * b
    }
  }
  return new Uint8Array(out.buffer)
}

/** Shares of red and blue in brightness. */
const shares = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722] } as const

function weights(matrix: keyof typeof shares, fullRange: boolean) {
  const [red, blue] = shares[matrix]
  const green = 1 - red - blue
  const colour = fullRange ? 1 : 255 / 224
  return {
    black: fullRange ? 0 : 16,
    luma: fullRange ? 1 : 255 / 219,
    redToRed: 2 * (1 - red) * colour,
    blueToBlue: 2 * (1 - blue) * colour,
    redToGreen: ((2 * (1 - red) * red) / green) * colour,
    blueToGreen: ((2 * (1 - blue) * blue) / green) * colour,
  }
}

/** Other formats, such as those of 10 bits. */
async function convertedByBrowser(frame: VideoSample): Promise<Uint8Array> {
  const { width, height } = frame.visibleRect
  const options = { format: 'RGBA' } as VideoFrameCopyToOptions // the types do not know the field yet
  const data = new Uint8Array(frame.allocationSize(options))
  await frame.copyTo(data, options)
  const out = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) out.set(data.subarray(i * 4, i * 4 + 3), i * 3)
  return out
}
