import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** How the compiler of TypeScript reads plugins as flow loads them. The types of a package are its own concern. */
export const typeOptions = {
  target: 'es2023',
  module: 'nodenext',
  types: ['node'],
  strict: true,
  allowJs: true,
  allowImportingTsExtensions: true,
  erasableSyntaxOnly: true,
  skipLibCheck: true,
  noEmit: true,
}

/** A `tsconfig.json` for the plugins of a folder, unless it or one above has one. */
export function typeFiles(folder: string): Record<string, string> {
  if (hasSettings(resolve(folder))) return {}
  return { [join(folder, 'tsconfig.json')]: `${JSON.stringify({ compilerOptions: typeOptions }, null, 2)}\n` }
}

function hasSettings(folder: string): boolean {
  if (existsSync(join(folder, 'tsconfig.json'))) return true
  return dirname(folder) !== folder && hasSettings(dirname(folder))
}
