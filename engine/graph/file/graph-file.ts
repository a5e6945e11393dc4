import { type Node, type ParseError, parseTree } from 'jsonc-parser'
import { isObject } from '../../shared/json.ts'
import { isReserved } from '../../shared/reserved.ts'
import type { Place, Problem } from '../problem.ts'
import { slipIn } from './json-slips.ts'

export type Path = readonly (string | number)[]

/** A graph file that was read: its JSON value, and the place of each part of it. */
export interface Source {
  readonly file: string
  readonly value: unknown
  /** The place of the value at a path, or of its key; without such a value, that of the nearest part around it. */
  place(path: Path, part?: 'key' | 'value'): Place
  /** Params of the graph that it extends which it removes by `null`. */
  readonly removed?: readonly string[]
}

/** Reads JSON with comments and without trailing commas, keeping positions. Every syntax error is a problem. */
export function parseSource(file: string, text: string): { source?: Source; problems: Problem[] } {
  const json = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  const lines = lineStarts(json)
  const place = (offset: number) => placeOf(file, lines, offset)
  const errors: ParseError[] = []
  const problems: Problem[] = []
  const problem = (code: Problem['code'], offset: number, rule: string, path = '', remedy?: string) =>
    problems.push({ code, place: place(offset), path, rule, ...(remedy !== undefined && { remedy }) })

  const encoding = encodingFault(json)
  if (encoding) {
    problem('syntax', encoding.offset, `must be UTF-8 text, found ${encoding.found}`, '', encoding.remedy)
    return { problems }
  }
  let root: Node | undefined
  try {
    root = parseTree(json, errors, { disallowComments: false, allowTrailingComma: false })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    problem('syntax', 0, 'must not be nested this deeply')
    return { problems }
  }
  // a slip often makes the parser report more errors after it: the first one is the cause
  const [first] = errors
  if (first) {
    const { offset, rule, remedy } = slipIn(json, first)
    problem('syntax', offset, rule, '', remedy)
  }
  if (!root) {
    if (problems.length === 0) problem('syntax', 0, 'must hold one JSON object')
    return { problems }
  }

  const jsonOf = (node: Node, path: string[]): unknown => {
    const dotted = path.join('.')
    if (node.type === 'array')
      return (node.children ?? []).map((child, i) => jsonOf(child, [...path, String(i)]))
    if (node.type === 'object') {
      const entries = new Map<string, unknown>()
      for (const { key, keyNode, valueNode } of properties(node)) {
        const keyPath = [...path, key].join('.')
        if (entries.has(key))
          problem('duplicate-key', keyNode.offset, 'must not repeat a key of the same object', keyPath)
        else if (isReserved(key))
          problem('syntax', keyNode.offset, 'must not use this reserved name', keyPath, 'use another name')
        else entries.set(key, valueNode && jsonOf(valueNode, [...path, key]))
      }
      return Object.fromEntries(entries)
    }
    if (node.type === 'number' && !Number.isFinite(node.value)) {
      problem('syntax', node.offset, 'must be a number that a double can hold', dotted)
    }
    return node.value
  }
  const value = jsonOf(root, [])
  if (problems.length > 0) return { problems }
  const top = root
  return {
    source: { file, value, place: (path, part = 'value') => place(offsetOf(top, path, part)) },
    problems,
  }
}

/** What shows in a text that was read as UTF-8 that its bytes are something else. */
function encodingFault(text: string): { offset: number; found: string; remedy: string } | undefined {
  const zero = text.indexOf('\0')
  const replaced = text.indexOf('\ufffd')
  const convert = (from: string) => `convert it: iconv -f ${from} -t UTF-8 FILE > NAME`
  if (zero >= 0) {
    const marks = text.startsWith('\ufffd\ufffd') ? 2 : 0
    // Latin letters and signs have a zero byte each, after them or before them
    const found = zero - marks === 1 ? 'UTF-16LE' : zero === marks ? 'UTF-16BE' : undefined
    if (found === undefined)
      return { offset: zero, found: 'a byte that is zero', remedy: 'name a file of JSON text' }
    return { offset: 0, found, remedy: convert(marks > 0 ? 'UTF-16' : found) }
  }
  if (replaced < 0) return undefined
  const found = 'bytes that are none, as of a text in Windows-1252'
  return { offset: replaced, found, remedy: convert('WINDOWS-1252') }
}

/** A path as people write it, e.g. `nodes.update.config.beta`. */
export const dotted = (path: Path): string => path.join('.')

/** The value one step inside a JSON value; undefined when there is none. */
export function at(value: unknown, step: string | number): unknown {
  if (Array.isArray(value)) return typeof step === 'number' ? value[step] : undefined
  return isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined
}

function offsetOf(root: Node, path: Path, part: 'key' | 'value'): number {
  let node = root
  let offset = root.offset
  for (const step of path) {
    if (node.type === 'object') {
      const property = [...properties(node)].find(({ key }) => key === step)
      if (!property) return offset
      offset = property.keyNode.offset
      if (!property.valueNode) return offset
      node = property.valueNode
    } else {
      const item: Node | undefined =
        node.type === 'array' && typeof step === 'number' ? node.children?.[step] : undefined
      if (!item) return offset
      node = item
      offset = item.offset
    }
  }
  return part === 'value' ? node.offset : offset
}

function* properties(object: Node): Generator<{ key: string; keyNode: Node; valueNode: Node | undefined }> {
  for (const property of object.children ?? []) {
    const [keyNode, valueNode] = property.children ?? []
    if (keyNode) yield { key: String(keyNode.value), keyNode, valueNode }
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1)
  return starts
}

function placeOf(file: string, lines: readonly number[], offset: number): Place {
  let line = 0
  let lineStart = 0
  for (const start of lines) {
    if (start > offset) break
    line++
    lineStart = start
  }
  return { file, line, column: offset - lineStart + 1 }
}
