import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { inside } from '../../engine/shared/inside.ts'
import { resolvePath } from '../builtin.ts'
import { isMacCopy, isVideo, stemOf } from '../files/video-extensions.ts'

/**
 * The folder that holds one of `marks`, files or folders that a benchmark always has: the folder given, or one up to two
 * levels below it, as downloads nest them. The folder given where none has them.
 */
export function benchmarkRoot(stated: string, marks: readonly string[]): string {
  const path = resolvePath(stated)
  const hasMark = (folder: string) => marks.some(mark => existsSync(join(folder, mark)))
  if (hasMark(path)) return path
  const below = foldersIn(path)
  return [...below, ...below.flatMap(foldersIn)].find(hasMark) ?? path
}

const foldersIn = (folder: string): string[] =>
  entriesOf(folder)
    .filter(entry => entry.isDirectory() && !isMacCopy(entry.name))
    .map(({ name }) => join(folder, name))
    .sort()

/** Finds the clip that data names, in some places of a folder: by its whole name, else by its stem with another ending. */
export type FindClip = (places: readonly string[]) => string

export function clipFinder(root: string): FindClip {
  const listings = new Map<string, Map<string, string>>()
  return places => {
    const paths = places.map(place => inside(root, place, 'the name of a clip'))
    const exact = paths.find(path => existsSync(path))
    if (exact !== undefined) return exact
    for (const path of paths) {
      const folder = dirname(path)
      const listing = listings.get(folder) ?? videosByStem(folder)
      listings.set(folder, listing)
      const name = listing.get(stemOf(basename(path)))
      if (name !== undefined) return join(folder, name)
    }
    // a missing clip is reported by its usual place
    return paths[0] ?? root
  }
}

function videosByStem(folder: string): Map<string, string> {
  const names = entriesOf(folder).map(({ name }) => name)
  const videos = names.filter(name => isVideo(name) && !isMacCopy(name)).sort()
  return new Map(videos.reverse().map(name => [stemOf(name), name]))
}

const entriesOf = (folder: string) => (existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [])
