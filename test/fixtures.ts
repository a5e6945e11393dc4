import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, from the sources and from dist alike. */
export const repository = findRepository(dirname(fileURLToPath(import.meta.url)))

/** Path of a file or folder under test/fixtures. */
export const fixture = (path: string): string => join(repository, 'test/fixtures', path)

function findRepository(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('test/fixtures.ts: no package.json in any folder above')
  return findRepository(parent)
}
