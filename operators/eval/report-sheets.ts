import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { scaledJpeg } from './contact-sheet.ts'
import type { Result } from './kinds.ts'

/** Bytes that a page of a thousand questions may have, and each question of a longer one. */
const pageBytes = 4_900_000
const itemBytes = pageBytes / 1000

/** Bytes of the page that are neither text of questions nor pictures. */
const frameBytes = 40_000

/** Smaller than this a sheet shows nothing: it is left out and stays a file beside the page. */
const smallestWidth = 96

/**
 * The contact sheets as base64, by their names. Where all in full size would make the page too large, all are made
 * smaller by the same factor; what then still does not fit is left out.
 */
export async function embedSheets(folder: string, results: readonly Result[]): Promise<Map<string, string>> {
  const names = [...new Set(results.flatMap(({ sheet }) => sheet ?? []))]
  const files = new Map(
    names.flatMap(name => {
      const path = join(folder, name)
      return existsSync(path) ? [[name, readFileSync(path)] as const] : []
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
  const sheets = full <= room ? files : await smaller(folder, files, Math.max(0, room / full))
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

/** All sheets made so small that they have about this share of their bytes. */
async function smaller(
  folder: string,
  files: ReadonlyMap<string, Buffer>,
  share: number,
): Promise<Map<string, Buffer>> {
  const out = new Map<string, Buffer>()
  const waiting = files.entries()
  const work = async () => {
    for (const [name, bytes] of waiting) {
      // small pictures need more bytes for a pixel; a coarser quantiser makes up for that
      const width = Math.floor(widthOf(bytes) * Math.sqrt(share) * 0.8)
      if (width >= smallestWidth) out.set(name, await scaledJpeg(join(folder, name), width, 9))
    }
  }
  await Promise.all([work(), work()])
  return new Map(
    [...files.keys()].flatMap(name => (out.has(name) ? [[name, out.get(name) ?? Buffer.alloc(0)]] : [])),
  )
}

/** Width in the header of a JPEG file. */
function widthOf(bytes: Buffer): number {
  for (let at = 2; at + 9 < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1] ?? 0
    if (marker >= 0xc0 && marker <= 0xc3) return bytes.readUInt16BE(at + 7)
  }
  return 0
}
