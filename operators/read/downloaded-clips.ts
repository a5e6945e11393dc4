import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../../engine/shared/json.ts'
import { isMacCopy } from '../files/video-extensions.ts'
import { clipFinder } from './benchmark-folder.ts'
import { parseJson } from './benchmark-rows.ts'
import { readText } from './rows.ts'

/** Levels of folders that are searched: downloaders put clips into numbered folders. */
const levels = 4

/**
 * Clips by the id in the address that they come from, where a downloader gave them numbers as names and put a file
 * with the field `url` next to each (video2dataset does).
 */
export async function clipsByAddress(root: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  await search(root, levels, found)
  return found
}

async function search(folder: string, left: number, found: Map<string, string>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true })
  const find = clipFinder(folder)
  for (const entry of entries.filter(({ name }) => !isMacCopy(name))) {
    if (entry.isDirectory() && left > 0) await search(join(folder, entry.name), left - 1, found)
    if (!entry.isFile() || !numbered.test(entry.name)) continue
    const path = join(folder, entry.name)
    const about = parseJson(path, await readText(path))
    const id = isObject(about) && typeof about.url === 'string' ? youtubeId.exec(about.url)?.[1] : undefined
    if (id !== undefined) found.set(id, find([entry.name.replace(/json$/, 'mp4')]))
  }
}

const numbered = /^\d+\.json$/
const youtubeId = /(?:[?&]v=|youtu\.be\/|\/shorts\/|\/embed\/)([\w-]{11})(?![\w-])/
