import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this package, from the sources and from dist alike. */
export const packageFolder = findPackage(dirname(fileURLToPath(import.meta.url)))

function findPackage(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('no package.json in any folder above the files of flow')
  return findPackage(parent)
}
