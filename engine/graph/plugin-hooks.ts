// Loaded into the thread in which Node finds modules (see `register.ts`): plugins get the flow that runs them, wherever they
// lie, and may be written in TypeScript.
import { readFileSync } from 'node:fs'
import { createRequire, type LoadHook, type ResolveHook } from 'node:module'
import { extname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isObject, readJsonObject } from '../shared/json.ts'
import { packageFolder } from '../shared/package-folder.ts'
import { packageName } from '../shared/package-name.ts'

// the cast: the library has no types
const { transformSync } = createRequire(import.meta.url)('amaro') as {
  transformSync(text: string, options: { mode: 'strip-only'; filename: string }): { code: string }
}

/** Files of TypeScript; `.cts` would need another module system. */
const typed = new Set(['.ts', '.mts'])

/** The package's own modules are those of the program that runs: a second copy would have other classes. */
export const resolve: ResolveHook = (specifier, context, next) => {
  const url =
    specifier === packageName || specifier.startsWith(`${packageName}/`) ? entryOf(specifier) : undefined
  return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
}

/** Removes the types and leaves all else where it is, as Node does from version 22.18 on. */
export const load: LoadHook = (url, context, next) => {
  if (
    !url.startsWith('file:') ||
    url.includes('/node_modules/') ||
    !typed.has(extname(new URL(url).pathname))
  )
    return next(url, context)
  const file = fileURLToPath(url)
  return { format: 'module', source: withoutTypes(file), shortCircuit: true }
}

function withoutTypes(file: string): string {
  try {
    return transformSync(readFileSync(file, 'utf8'), { mode: 'strip-only', filename: file }).code
  } catch (thrown) {
    throw new SyntaxError(mistakeIn(String(thrown), file))
  }
}

/** The library throws a picture of the text with numbered lines, and a mark under the mistake. */
function mistakeIn(picture: string, file: string): string {
  const rows = picture.split('\n')
  const marked = rows.findIndex(row => /^\s*[:·]\s*[\^┬─]/.test(row))
  const [, line] =
    rows
      .slice(0, marked)
      .reverse()
      .map(row => /^\s*(\d+)\s[|│]/.exec(row))
      .find(found => found) ?? []
  const said = (rows.find(row => row.trim() !== '') ?? '').replace(/^\s*[x×]\s*/, '')
  return `${said}, at ${file}${line === undefined ? '' : `:${line}`}`
}

const { exports: entries } = readJsonObject(join(packageFolder, 'package.json'))

/** The module that the package's `exports` give for `NAME` or `NAME/part`; undefined when they have none. */
function entryOf(specifier: string): string | undefined {
  const entry = isObject(entries) ? entries[`.${specifier.slice(packageName.length)}`] : undefined
  const path = isObject(entry) ? entry.default : entry
  return typeof path === 'string' ? pathToFileURL(join(packageFolder, path)).href : undefined
}
