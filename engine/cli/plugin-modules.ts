import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Modules that are followed; a plugin of more is compared by the first. */
const mostModules = 2000

/**
 * The files of a module: itself, those that it imports by relative path, and those of them, and for each package that they
 * name its package.json, which has its version.
 */
export function modulesOf(entry: string): string[] {
  const found = new Set([entry, ...manifestAbove(entry)])
  for (const path of found) {
    if (found.size >= mostModules || !isFile(path) || path.endsWith('package.json')) continue
    for (const name of importsOf(path)) {
      if (/^(\.|\/|file:)/.test(name)) {
        const target = fileOf(name.startsWith('file:') ? fileURLToPath(name) : resolve(dirname(path), name))
        if (target !== undefined) found.add(target)
      } else if (!name.startsWith('node:'))
        for (const manifest of packageOf(name, dirname(path))) found.add(manifest)
    }
  }
  return [...found]
}

/** What a module names after `from`, `import`, `require` and in `new URL`. */
function importsOf(path: string): string[] {
  if (!['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'].includes(extname(path))) return []
  const text = readFileSync(path, 'utf8')
  const names = /(?:\bfrom|\bimport|\brequire|\bURL)\s{0,20}\(?\s{0,20}['"`]([^'"`\n]{1,1000})['"`]/g
  return [...text.matchAll(names)].flatMap(([, name]) => name ?? [])
}

/** A file at a path, or with an ending that `require` leaves out. */
const fileOf = (path: string): string | undefined =>
  ['', '.js', '.mjs', '.cjs', '.json', '.ts', '/index.js'].map(end => path + end).find(isFile)

function packageOf(name: string, folder: string): string[] {
  const home = name.split('/', name.startsWith('@') ? 2 : 1).join('/')
  for (let here = folder; ; here = dirname(here)) {
    const manifest = join(here, 'node_modules', home, 'package.json')
    if (existsSync(manifest)) return [manifest]
    if (dirname(here) === here) return []
  }
}

/** Of a module in an installed package, the package.json of the package. */
function manifestAbove(entry: string): string[] {
  if (!entry.includes('node_modules')) return []
  for (let here = dirname(entry); dirname(here) !== here; here = dirname(here)) {
    const manifest = join(here, 'package.json')
    if (existsSync(manifest)) return [manifest]
  }
  return []
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
