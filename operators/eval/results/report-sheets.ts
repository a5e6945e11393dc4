import { readFileSync } from 'node:fs'
import { fileInside } from '../../../engine/shared/inside.ts'
import { scaledJpegs } from '../../video/pictures.ts'
import { type Result, sheetField } from './result.ts'

/** Bytes that a page of a thousand questions may have, and each question of a longer one. */
const pageBytes = 4_900_000
const itemBytes = pageBytes / 1000

/** Bytes of the page that are neither text of questions nor pictures. */
const frameBytes = 40_000

/** Widths and quantisers that sheets are made smaller by; the first that fits is taken. */
const sizes = [
  [512, 10],
  [448, 12],
  [384, 12],
  [320, 14],
  [256, 14],
  [208, 14],
  [160, 14],
  [128, 14],
] as const
const sampleSize = 8

/**
 * The contact sheets as base64, by their names. Where all in full size would make the page too large, all are made
 * smaller, by the look of a few of them; what then still does not fit is left out.
 */
export async function embedSheets(folder: string, results: readonly Result[]): Promise<Map<string, string>> {
  const names = [...new Set(results.flatMap(({ sheet }) => sheet ?? []))]
  const files = new Map(
    names.flatMap(name => {
      const path = fileInside(folder, name, sheetField)
      return path === undefined ? [] : [[name, readFileSync(path)] as const]
    }),
  )
  // the texts are packed to about a third, and base64 makes that larger by a third
  const text = results.reduce(
    (sum, { prompt, output, question }) =>
      sum + 0.45 * ((prompt ?? '').length + (output ?? '').length + question.length) + 150,
    0,
  )
  const room = Math.max(pageBytes, itemBytes * results.length) - frameBytes - text
  const full = [...files.values()].reduce((sum, bytes) => sum + base64Bytes(bytes), 0)
  const sheets = full <= room ? files : await smaller(files, room / files.size)
  const embedded = new Map<string, string>()
  let used = 0
  for (const [name, bytes] of sheets) {
    used += base64Bytes(bytes)
    if (used > room) break
    embedded.set(name, bytes.toString('base64'))
  }
  return embedded
}

const base64Bytes = (bytes: Buffer): number => Math.ceil(bytes.length / 3) * 4

/** All sheets made smaller, to about the same number of bytes of base64 each. */
async function smaller(files: ReadonlyMap<string, Buffer>, each: number): Promise<Map<string, Buffer>> {
  const names = [...files.keys()]
  const some = names.filter((_, i) => i % Math.ceil(names.length / sampleSize) === 0)
  let [width, quality]: readonly [number, number] = sizes[0]
  for ([width, quality] of sizes) {
    const made = [...(await scaled(files, some, width, quality)).values()]
    if (made.reduce((sum, one) => sum + base64Bytes(one), 0) <= each * made.length) break
  }
  return scaled(files, names, width, quality)
}

/** Sheets of one size go through one process. */
async function scaled(
  files: ReadonlyMap<string, Buffer>,
  names: readonly string[],
  width: number,
  quality: number,
): Promise<Map<string, Buffer>> {
  const bySize = new Map<string, string[]>()
  for (const name of names) {
    const size = sizeOf(files.get(name) ?? Buffer.alloc(0))
    bySize.set(size, [...(bySize.get(size) ?? []), name])
  }
  const made = new Map<string, Buffer>()
  for (const alike of bySize.values()) {
    const pictures = await scaledJpegs(
      alike.flatMap(name => files.get(name) ?? []),
      width,
      quality,
    )
    for (const [i, name] of alike.entries()) made.set(name, pictures[i] ?? Buffer.alloc(0))
  }
  return new Map(names.map(name => [name, made.get(name) ?? Buffer.alloc(0)]))
}

/** Height and width in the header of a JPEG file, as text. */
function sizeOf(bytes: Buffer): string {
  for (let at = 2; at + 9 < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1] ?? 0
    if (marker >= 0xc0 && marker <= 0xc3) return `${bytes.readUInt16BE(at + 5)}x${bytes.readUInt16BE(at + 7)}`
  }
  return 'unknown'
}
