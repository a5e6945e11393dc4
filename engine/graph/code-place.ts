import { readFileSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isObject, readJsonObject } from '../shared/json.ts'
import { packageFolder } from '../shared/package-folder.ts'
import { pathHere } from '../shared/path-here.ts'

/** A place in somebody's code. */
export interface CodePlace {
  /** `FILE:LINE:COLUMN`, the file as seen from the working directory. */
  readonly at: string
  /** The line of the file, and under it a mark at the column; empty where the file cannot be read. */
  readonly lines: readonly string[]
}

/**
 * Where code that is neither flow's nor Node's threw an error, or called what threw it; of its libraries, the code that
 * called them. Of an error with causes, the first cause that tells. Undefined for an error that comes from flow alone, and
 * for one whose message says the place.
 */
export function placeInCode(error: unknown): CodePlace | undefined {
  if (!(error instanceof Error) || saysPlace(error)) return undefined
  const earlier = placeInCode(error.cause)
  if (earlier) return earlier
  const frames = framesOf(error.stack ?? '').filter(({ file }) => !isOfFlow(file))
  const frame = frames.find(({ file }) => !file.includes(`${sep}node_modules${sep}`)) ?? frames[0]
  return frame && placeOf(frame)
}

const saysPlace = (error: unknown): boolean =>
  error instanceof Error && (('saysPlace' in error && error.saysPlace === true) || saysPlace(error.cause))

/** The place as lines of a message, below the one that says what is wrong. */
export const placeLines = ({ at, lines }: CodePlace): string[] => [
  `in:   ${at}`,
  ...lines.map(line => `      ${line}`),
]

/** The same as one text. */
export const shownPlace = (place: CodePlace): string =>
  placeLines(place)
    .map(line => `    ${line}`)
    .join('\n')

interface Frame {
  file: string
  line: number
  column: number
}

function framesOf(stack: string): Frame[] {
  return stack.split('\n').flatMap(text => {
    const [, place = '', line, column] =
      /^\s+at (?:.*\()?((?:file:\/\/|\/|[A-Za-z]:\\).+?):(\d+):(\d+)\)?$/.exec(text) ?? []
    if (place === '') return []
    const [path = ''] = place.split('?')
    const file = path.startsWith('file:') ? fileURLToPath(path) : path
    return [{ file, line: Number(line), column: Number(column) }]
  })
}

/** Folders of flow that hold code, compiled and not. */
const own = ['dist', 'engine', 'operators', 'kernels', 'node_modules'].map(name =>
  join(packageFolder, name, sep),
)

const { dependencies } = readJsonObject(join(packageFolder, 'package.json'))

/** Folders of the packages that flow calls, wherever they are installed. */
const libraries = Object.keys(isObject(dependencies) ? dependencies : {}).map(name =>
  join(sep, 'node_modules', name, sep),
)

const isOfFlow = (file: string): boolean =>
  own.some(folder => file.startsWith(folder)) || libraries.some(folder => file.includes(folder))

/** A longer line is no code that a person wrote. */
const longestLine = 200
const largestFile = 2 ** 24

function placeOf({ file, line, column }: Frame): CodePlace {
  const at = `${pathHere(file)}:${line}:${column}`
  const text = lineOf(file, line)
  if (text === undefined || text.length > longestLine) return { at, lines: [] }
  const indent = text.length - text.trimStart().length
  return { at, lines: [text.trim(), `${' '.repeat(Math.max(0, column - 1 - indent))}^`] }
}

function lineOf(file: string, line: number): string | undefined {
  try {
    if (statSync(file).size > largestFile) return undefined
    return readFileSync(file, 'utf8').split(/\r?\n/)[line - 1]
  } catch {
    return undefined
  }
}
