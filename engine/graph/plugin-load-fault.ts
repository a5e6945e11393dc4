import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { messageOf } from '../shared/errors.ts'
import { packageName } from '../shared/package-name.ts'
import { placeInCode, placeLines } from './code-place.ts'
import { nearBy } from './missing-file.ts'
import type { Problem } from './problem.ts'

/** Why a plugin's module cannot be loaded, where in it, and what to do. */
export function loadFault(
  error: unknown,
  name: string,
  folder: string,
  ofRun = false,
): Pick<Problem, 'hint' | 'remedy' | 'details'> {
  const absent = absence(name, folder)
  if (absent) return ofRun && !absent.isFolder ? { ...absent.told, remedy: putBack } : absent.told
  const [said = ''] = messageOf(error).split('\n')
  const hint = `${said}${lineOfMistake(error, name, folder)}`
  const place = placeInCode(error)
  return { hint, ...(place && { details: placeLines(place) }), remedy: remedyOf(hint, name, folder) }
}

function remedyOf(hint: string, name: string, folder: string): string {
  if (/^Cannot find package 'flow'/.test(hint))
    return `import "${packageName}" instead: this is the name of the package`
  if (name.endsWith('.py'))
    return 'write it in JavaScript or TypeScript ("flow new reward my.name" begins one), or let reward.command run the Python program'
  if (!/^Cannot find (module|package)/.test(hint)) return 'correct the module: it fails when it is loaded'
  const isFile = !/^[./]/.test(name) && existsSync(resolve(folder, name))
  return isFile
    ? `write "./${name}": without "./" it is the name of a package`
    : 'install it, or correct its name or path'
}

const putBack = 'put it back, or say where it is now: --plugin PATH beside --resume'

/** A folder, or nothing, where the path of a plugin leads. */
function absence(name: string, folder: string) {
  const file = resolve(folder, name)
  if (!/^(\.{0,2}\/)/.test(name) || statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined
  const isFolder = existsSync(file)
  const modules = isFolder ? readdirSync(file).filter(one => /^[^.]+\.(mjs|js|ts|mts)$/.test(one)) : []
  const [first] = modules
  const near = nearBy(file)
  const why = isFolder ? 'a folder' : `no such file${near === undefined ? '' : `, nearest "${near}"`}`
  const remedy = !isFolder
    ? 'correct the path'
    : first === undefined
      ? 'name the file that holds the module'
      : `name the file that holds the module, such as "${name.replace(/\/+$/, '')}/${first}"`
  return { isFolder, told: { hint: why, remedy } }
}

/** Where a mistake of syntax is, which Node tells only when it checks the file by itself. */
function lineOfMistake(error: unknown, name: string, folder: string): string {
  if (!(error instanceof SyntaxError) || !/^[./].*\.[cm]?js$/.test(name)) return ''
  const file = resolve(folder, name)
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 10_000 })
  const line = /:(\d+)$/m.exec(stderr.split('\n', 1)[0] ?? '')?.[1]
  return line === undefined ? '' : `, at ${file}:${line}`
}
