// What a run did to its folder, from a trace of its system calls, and what of it a disk holds after a power cut.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Random } from '../engine/run/random-graph.ts'

/** A step that changes the disk, or promises that earlier ones lie on it. Files and folders have numbers; the run's folder is 0. */
export type DiskStep =
  | { kind: 'write'; file: number; at: number; bytes: Buffer }
  | { kind: 'cut'; file: number; size: number }
  | { kind: 'names'; changes: readonly NameChange[]; text: string }
  | { kind: 'sync'; file: number; text: string }

interface NameChange {
  readonly folder: number
  readonly name: string
  /** What the name leads to from now on; undefined: nothing. */
  readonly to: number | undefined
}

/** Files and folders by number. */
type Entry = { names: Map<string, number> } | { bytes: Buffer; size: number } | { leadsTo: string }

export interface TracedDisk {
  readonly steps: readonly DiskStep[]
  readonly folders: ReadonlySet<number>
  readonly links: ReadonlyMap<number, string>
}

/** Calls that strace must report. */
export const tracedCalls =
  'openat,open,creat,write,pwrite64,writev,pwritev,rename,renameat,renameat2,fsync,fdatasync,mkdir,mkdirat,' +
  'unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,ftruncate,truncate,copy_file_range,sendfile'

const unhex = (text: string): Buffer => Buffer.from(text.replaceAll('\\x', ''), 'hex')
const stringsIn = (text: string): Buffer[] =>
  [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(found => unhex(found[1] ?? ''))
const pathOf = (text: string): string =>
  text.includes('\\x') ? unhex(text.replace(/\(deleted\)$/, '')).toString() : text

/** Reads a trace by `strace -f -y -xx`: what it did below `root`, in the order in which the calls ended. */
export function readTrace(lines: Iterable<string>, root: string): TracedDisk {
  const steps: DiskStep[] = []
  const names = new Map<string, number>([[root, 0]])
  const sizes = new Map<number, number>()
  const folders = new Set([0])
  const links = new Map<number, string>()
  const places = new Map<string, { at: number; appends: boolean }>()
  let count = 1
  const isBelow = (path: string) => path.startsWith(`${root}/`)
  const change = (path: string, to: number | undefined): NameChange[] => {
    const folder = names.get(dirname(path))
    if (folder === undefined) throw new Error(`${path}: its folder was never made`)
    return [{ folder, name: basename(path), to }]
  }
  const name = (text: string, changes: readonly NameChange[]) => steps.push({ kind: 'names', changes, text })
  const make = (path: string, text: string): number => {
    const made = count++
    name(text, change(path, made))
    names.set(path, made)
    sizes.set(made, 0)
    return made
  }
  const write = (file: number, at: number, bytes: Buffer) => {
    steps.push({ kind: 'write', file, at, bytes })
    sizes.set(file, Math.max(sizes.get(file) ?? 0, at + bytes.length))
  }
  const cut = (file: number, size: number) => {
    steps.push({ kind: 'cut', file, size })
    sizes.set(file, size)
  }
  for (const { call, args, result } of callsIn(lines)) {
    if (result < 0) continue
    const paths = stringsIn(args).map(String)
    const [first = '', second = ''] = paths
    const open = /^(\d+)<([^>]*)>/.exec(args)
    const openPath = open ? pathOf(open[2] ?? '') : ''
    const text = `${call} ${[first, second].filter(isBelow).join(' ') || openPath}`
    if (/^(open|openat|creat)$/.test(call)) {
      if (!isBelow(first)) continue
      const file = names.get(first) ?? (args.includes('O_CREAT') ? make(first, text) : undefined)
      if (file === undefined) throw new Error(`${first}: was opened and never made`)
      if (args.includes('O_TRUNC') && (sizes.get(file) ?? 0) > 0) cut(file, 0)
      places.set(`${result} ${file}`, { at: 0, appends: args.includes('O_APPEND') })
    } else if (call.startsWith('mkdir')) {
      if (first === root) continue
      if (isBelow(first)) folders.add(make(first, text))
    } else if (call.startsWith('symlink')) {
      if (isBelow(second)) links.set(make(second, text), first)
    } else if (call.startsWith('link')) {
      const file = names.get(first)
      if (file === undefined || !isBelow(second)) continue
      name(text, change(second, file))
      names.set(second, file)
    } else if (call.startsWith('rename')) {
      const file = names.get(first)
      if (file === undefined) continue
      name(text, [...change(first, undefined), ...change(second, file)])
      for (const [path, one] of [...names])
        if (path === first || path.startsWith(`${first}/`)) {
          names.delete(path)
          names.set(second + path.slice(first.length), one)
        }
    } else if (/^(unlink|rmdir)/.test(call)) {
      if (!names.has(first) || first === root) continue
      name(text, change(first, undefined))
      names.delete(first)
    } else if (call === 'truncate') {
      const file = names.get(first)
      if (file !== undefined) cut(file, Number(/, (\d+)$/.exec(args)?.[1]))
    } else if (call === 'copy_file_range' || call === 'sendfile') {
      const [one, other] = [...args.matchAll(/\d+<([^>]*)>(?:, \[(\d+)\])?/g)]
      // sendfile names the target first, and writes where it stands
      const [from, to] = call === 'sendfile' ? [other, one] : [one, other]
      const file = names.get(pathOf(to?.[1] ?? ''))
      if (file === undefined || result === 0) continue
      const at = Number(from?.[2] ?? 0)
      const bytes = readFileSync(pathOf(from?.[1] ?? '')).subarray(at, at + result)
      write(file, Number(to?.[2] ?? sizes.get(file) ?? 0), bytes)
    } else {
      const file = names.get(openPath)
      if (file === undefined || !open) continue
      const place = places.get(`${open[1]} ${file}`) ?? { at: 0, appends: false }
      if (call === 'fsync' || call === 'fdatasync') steps.push({ kind: 'sync', file, text })
      else if (call === 'ftruncate') cut(file, Number(/, (\d+)$/.exec(args)?.[1]))
      else if (call === 'write' || call === 'writev') {
        const bytes = Buffer.concat(stringsIn(args)).subarray(0, result)
        if (bytes.length < result)
          throw new Error(`${text}: the trace has ${bytes.length} of ${result} bytes`)
        const at = place.appends ? (sizes.get(file) ?? 0) : place.at
        write(file, at, bytes)
        place.at = at + result
      } else if (call.startsWith('pwrite')) {
        const bytes = Buffer.concat(stringsIn(args)).subarray(0, result)
        write(file, Number(/, (\d+)$/.exec(args)?.[1]), bytes)
      } else throw new Error(`${text}: this call is not replayed`)
    }
  }
  return { steps, folders, links }
}

/** The calls of a trace, each when it ended. */
function* callsIn(lines: Iterable<string>) {
  const begun = new Map<string, string>()
  for (const line of lines) {
    const [, thread = '', said = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (said.endsWith(' <unfinished ...>')) {
      begun.set(thread, said.slice(0, -' <unfinished ...>'.length))
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(said)
    const whole = resumed ? `${begun.get(thread) ?? ''}${resumed[1]}` : said
    const open = whole.indexOf('(')
    const end = whole.lastIndexOf(') ')
    const result = /^\) += (-?\d+)/.exec(whole.slice(end))
    if (open < 0 || !result) continue
    yield { call: whole.slice(0, open), args: whole.slice(open + 1, end).trim(), result: Number(result[1]) }
  }
}

/**
 * Puts into an empty folder what a disk holds when the power fails before step `end`. Without `random`, all that was written;
 * with it, only what was synced is certain, and each other write, cut and change of names is there, half there, or not.
 */
export function afterCut(
  { steps, folders, links }: TracedDisk,
  end: number,
  folder: string,
  random?: Random,
): void {
  const synced = new Map<number, number>()
  for (const [i, step] of steps.slice(0, end).entries()) if (step.kind === 'sync') synced.set(step.file, i)
  const entries = new Map<number, Entry>()
  const entryOf = (number: number): Entry => {
    const leadsTo = links.get(number)
    const fresh = () =>
      leadsTo !== undefined
        ? { leadsTo }
        : folders.has(number)
          ? { names: new Map<string, number>() }
          : { bytes: Buffer.alloc(0), size: 0 }
    const entry = entries.get(number) ?? fresh()
    entries.set(number, entry)
    return entry
  }
  for (const [i, step] of steps.slice(0, end).entries()) {
    if (step.kind === 'sync') continue
    const holders = step.kind === 'names' ? step.changes.map(({ folder }) => folder) : [step.file]
    const isCertain = !random || holders.every(holder => (synced.get(holder) ?? -1) > i)
    const luck = isCertain || !random ? 1 : random()
    if (luck < 1 / 3) continue
    if (step.kind === 'names') {
      for (const { folder, name, to } of step.changes) {
        const entry = entryOf(folder)
        if (!('names' in entry)) throw new Error(`${name}: lies in what is no folder`)
        if (to === undefined) entry.names.delete(name)
        else entry.names.set(name, to)
      }
      continue
    }
    const entry = entryOf(step.file)
    if (!('bytes' in entry)) throw new Error('only files are written')
    if (step.kind === 'cut') entry.size = step.size
    else {
      const bytes = luck < 2 / 3 ? step.bytes.subarray(0, step.bytes.length >> 1) : step.bytes
      const size = step.at + bytes.length
      if (size > entry.bytes.length)
        entry.bytes = Buffer.concat([entry.bytes, Buffer.alloc(size - entry.bytes.length + size)])
      if (step.at > entry.size) entry.bytes.fill(0, entry.size, step.at)
      bytes.copy(entry.bytes, step.at)
      entry.size = Math.max(entry.size, size)
    }
  }
  put(folder, 0)

  function put(path: string, number: number): void {
    const entry = entryOf(number)
    if ('leadsTo' in entry) symlinkSync(entry.leadsTo, path)
    else if ('bytes' in entry) writeFileSync(path, entry.bytes.subarray(0, entry.size))
    else {
      mkdirSync(path)
      for (const [name, below] of entry.names) put(join(path, name), below)
    }
  }
}
