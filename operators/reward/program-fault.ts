import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, extname, join } from 'node:path'
import type { Finding } from '../../engine/operator.ts'

/** What keeps a scorer from being started: its program is not there, or a script that it is given is not. */
export function programFault([program = '', ...args]: readonly string[]): Finding[] {
  const wrong = (line: string, remedy: string): Finding[] => {
    return [
      {
        field: 'command',
        rule: 'must name a program that can be run',
        lines: [line],
        code: 'not-started',
        remedy,
      },
    ]
  }
  const places = (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, program))
  const file = program.includes('/') ? existing([program]) : existing(places)
  if (file === undefined)
    return program.includes('/')
      ? wrong(`${program}: not there`, 'give its path, seen from the working directory')
      : wrong(`${program}: in no folder of PATH`, 'install it, or give its path')
  if (!isExecutable(file)) return wrong(`${file}: is no program`, `make it one: chmod +x ${file}`)
  const script = args.find(arg => scripts.has(extname(arg)) && !arg.startsWith('-'))
  if (script === undefined || existsSync(script)) return []
  return wrong(`${script}: not there`, 'give the path of the script, seen from the working directory')
}

/** Endings of files that programs run. */
const scripts = new Set(['.py', '.js', '.mjs', '.cjs', '.ts', '.sh', '.rb', '.pl'])

const existing = (paths: readonly string[]): string | undefined =>
  paths.find(path => statSync(path, { throwIfNoEntry: false })?.isFile())

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
