import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { at } from '../graph/file/graph-file.ts'
import { refuseUnlessFile } from '../shared/files.ts'

/** Reads a graph file, or gives the text that a manifest has of it when it cannot be read. */
export function readOrRecall({
  sources,
  workingDirectory,
}: Readonly<Record<string, unknown>>): (file: string) => string {
  return file => {
    try {
      refuseUnlessFile(file)
      return readFileSync(file, 'utf8')
    } catch (error) {
      const place = typeof workingDirectory === 'string' ? workingDirectory : '.'
      const text = at(sources, file) ?? at(sources, relative(place, file))
      if (typeof text === 'string') return text
      throw error
    }
  }
}
