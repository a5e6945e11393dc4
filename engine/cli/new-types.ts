import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { packageFolder } from '../shared/package-folder.ts'

/** The language of a new plugin: the ending of its files, and what it has of a text that only TypeScript has. */
export interface Language {
  readonly ending: '.mjs' | '.ts'
  typed(text: string): string
}

export const javaScript: Language = { ending: '.mjs', typed: () => '' }
export const typeScript: Language = { ending: '.ts', typed: text => text }

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

/** A `tsconfig.json` for the plugins of a folder, unless it or one above has one, and the command that checks them by it. */
export function typeFiles(folder: string): { files: Record<string, string>; check: string } {
  const found = settingsFor(resolve(folder))
  const at = found === undefined ? folder : relative(process.cwd(), found) || '.'
  const check = at === '.' ? 'npx tsc' : `npx tsc -p ${at}`
  if (found !== undefined) return { files: {}, check }
  const settings = { compilerOptions: typeOptions }
  return { files: { [join(folder, 'tsconfig.json')]: `${JSON.stringify(settings, null, 2)}\n` }, check }
}

/** The folder whose `tsconfig.json` is for the files of a folder. That of flow itself leaves out what is not flow's. */
function settingsFor(folder: string): string | undefined {
  if (existsSync(join(folder, 'tsconfig.json'))) return folder
  const above = dirname(folder)
  return above === folder || above === packageFolder ? undefined : settingsFor(above)
}

/** A list in one line of at most 110 characters, or else an item a line, as the formatter writes it. */
export function fitting(before: string, items: readonly string[], after: string, padding = ''): string {
  const line = `${before}${padding}${items.join(', ')}${padding}${after}`
  return line.length + 2 > 110 ? `${before}\n${items.map(item => `  ${item},\n`).join('')}${after}` : line
}
