// Where the line of a kernel stands in its author's files. The text of a kernel is mostly a template in the file that
// declares it, or in a file that this one names: a `.wgsl` that it reads, or a module that it imports. The line is looked
// for among theirs, with ${…} for any text, and the lines around it decide between equal ones.

/** Reads a file beside another one; undefined if it cannot. */
export type ReadSource = (file: string, beside?: string) => Source | undefined

export interface Source {
  /** The path as messages give it. */
  readonly shown: string
  readonly path: string
  readonly text: string
}

/** Where line `line` (from 1) of `code`, at `column`, stands as `FILE:LINE:COLUMN`; undefined if no line is like it. */
export function sourcePlace(
  code: string,
  { line, column }: { line: number; column: number },
  declared: string,
  read: ReadSource,
): string | undefined {
  const [, file = '', from = ''] = /^(.*):(\d+)$/.exec(declared) ?? []
  const first = read(file)
  if (!first) return undefined
  const lines = code.split('\n')
  let best: { at: string; likeness: number } | undefined
  for (const source of [first, ...namedIn(first, read)]) {
    const patterns = source.text.split(/\r?\n/).map(patternsOf)
    for (const [i, these] of patterns.entries()) {
      const found = columnBy(these, lines[line - 1] ?? '', column)
      if (found === undefined) continue
      const around = neighbours.filter(step => like(patterns[i + step], lines[line - 1 + step])).length
      // between equals, the first one below the declaration in the file that holds it
      const likeness = around + (source === first && i + 1 >= Number(from) ? 0.5 : 0)
      if (!best || likeness > best.likeness) best = { at: `${source.shown}:${i + 1}:${found}`, likeness }
    }
  }
  return best?.at
}

const neighbours = [-4, -3, -2, -1, 1, 2, 3, 4]

/** The files that a module names in quotes. */
function namedIn({ text, path }: Source, read: ReadSource): Source[] {
  const names = [...text.matchAll(/['"`]([^'"`\s]+\.(?:wgsl|[mc]?[jt]s))['"`]/g)].map(([, name = '']) => name)
  return [...new Set(names)].slice(0, mostNamed).flatMap(name => read(name, path) ?? [])
}

const mostNamed = 50

/** A piece of a line: text, or a `${…}`; where it starts in the line. */
interface Piece {
  text: string
  isFree: boolean
  start: number
}

/**
 * What of a line the kernel's text may have as a line: all of it, what stands after a quote that opens a text or a `\\n` in
 * one, or before the next of them.
 */
function patternsOf(line: string): Piece[][] {
  const bounds = line.length > longestLine ? [] : [...line.matchAll(/['"`]|\\n/g)].slice(0, mostBounds)
  const starts = [0, ...bounds.map(({ index, 0: { length } }) => index + length)]
  const ends = [...bounds.map(({ index }) => index), line.length]
  return starts.flatMap(start => ends.filter(end => end >= start).map(end => piecesOf(line, start, end)))
}

/** A line with more is no text of a kernel. */
const longestLine = 1000
const mostBounds = 12

function piecesOf(line: string, start: number, end: number): Piece[] {
  const pieces: Piece[] = []
  for (let at = start; at < end; ) {
    const opened = line.indexOf('${', at)
    const until = opened < 0 || opened > end ? end : opened
    if (until > at) pieces.push({ text: line.slice(at, until), isFree: false, start: at })
    if (until === end) break
    let depth = 0
    let close = until + 1
    for (; close < end; close++) {
      if (line[close] === '{') depth++
      else if (line[close] === '}' && --depth === 0) break
    }
    pieces.push({ text: '', isFree: true, start: until })
    at = close + 1
  }
  return pieces
}

/** How a pattern covers a line: the length of each piece; undefined if it does not, or only by free pieces. */
function lengthsIn(pieces: readonly Piece[], line: string): number[] | undefined {
  const literal = pieces.reduce((sum, { text, isFree }) => sum + (isFree ? 0 : text.trim().length), 0)
  if (literal * 3 < line.trim().length || (literal === 0 && line.trim() !== '')) return undefined
  const source = pieces.map(({ text, isFree }) => (isFree ? '(.*?)' : `(${escaped(text)})`))
  const match = new RegExp(`^${source.join('')}$`).exec(line)
  return match?.slice(1).map(piece => piece.length)
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

const like = (patterns: readonly Piece[][] | undefined, line: string | undefined): boolean =>
  line !== undefined && line.trim() !== '' && (patterns ?? []).some(pieces => lengthsIn(pieces, line))

/** The column in the source of a column in the kernel's text. */
function columnBy(patterns: readonly Piece[][], line: string, column: number): number | undefined {
  for (const pieces of patterns) {
    const lengths = lengthsIn(pieces, line)
    if (!lengths) continue
    let at = 1
    for (const [i, { isFree, start }] of pieces.entries()) {
      const length = lengths[i] ?? 0
      if (column < at + length || i === pieces.length - 1) return start + 1 + (isFree ? 0 : column - at)
      at += length
    }
  }
  return undefined
}
