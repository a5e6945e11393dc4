import { packageFolder } from '../shared/package-folder.ts'
import { flowCommand } from '../shared/package-name.ts'
import { pathHere } from '../shared/path-here.ts'
import type { Flag } from './arguments.ts'
import type { Verb } from './verb.ts'

/** Characters in a line of help, and lines of a screen. */
const columns = 100
const rowsOfScreen = 24

/** Lines without the empty ones, if with them they would not fit a screen. */
function screen(texts: readonly string[]): string {
  const lines = texts.join('\n').split('\n')
  return (lines.length <= rowsOfScreen ? lines : lines.filter(line => line !== '')).join('\n')
}

/** The text of `flow help`: all verbs. */
export function describeVerbs(verbs: Readonly<Record<string, Verb>>): string {
  return screen([
    'flow runs dataflow graphs that train and evaluate a video-reasoning model.',
    '',
    ...definitions(Object.entries(verbs).map(([name, { summary }]) => [`flow ${name}`, summary])),
    '',
    '"flow help VERB" explains one. Exit codes: 0 fine, 1 failed, 2 wrong command or graph, 130 stopped.',
  ])
}

/** The text for `--help` of a verb: one screen. */
export function describeVerb(name: string, { summary, usage, flags, example }: Verb): string {
  const isOwn = ([, { explainedBy = name }]: [string, Flag]) => explainedBy === name
  const all = Object.entries(flags)
  const rows = all
    .filter(isOwn)
    .map(([flag, { value, description }]): [string, string] => [
      `--${flag}${value ? ` ${value}` : ''}`,
      description,
    ])
  const others = all.filter(one => !isOwn(one))
  const [[, { explainedBy = '' }] = ['', {} as Partial<Flag>]] = others
  const more = others.map(([flag]) => `--${flag}`).join(', ')
  return screen([
    `flow ${name} ${usage}${rows.length > 0 ? ' [flags]' : ''}`,
    ...wrap(summary, columns),
    ...(rows.length > 0 ? ['', ...definitions(rows)] : []),
    ...(more === '' ? [] : [`  ${more}: "flow help ${explainedBy}" explains them.`]),
    '',
    'Example:',
    example.replaceAll('npx flow', flowCommand).replaceAll('=graphs/', `=${graphsFolder()}/`),
  ])
}

/** A line for each term and its explanation, wrapped to the columns. */
export function definitions(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([term]) => term.length))
  return rows.flatMap(([term, text]) =>
    wrap(text, columns - width - 4).map((line, i) => `  ${(i === 0 ? term : '').padEnd(width)}  ${line}`),
  )
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Where our graphs are, seen from the working directory, as a shell reads it. */
const graphsFolder = (): string => pathHere(`${packageFolder}/graphs`).replaceAll(/[^\w/.-]/g, '\\$&')
