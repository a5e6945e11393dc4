import type { SyncFiles } from '../platform.ts'
import { type Entry, type FileEntry, fault, grow, type Tree } from './tree.ts'

/** The bytes of a tab: `Buffer` of the package of this name, or Node's in its tests. */
export type BufferOf = typeof globalThis.Buffer

type Content = string | Uint8Array

/** A file that is open: where the next byte goes, and whether bytes go to its end alone. */
interface Open {
  file: FileEntry
  path: string
  at: number
  appends: boolean
}

/** What `statSync` says of an entry, as far as flow asks. */
export function statsOf(entry: Entry) {
  const is = (kind: Entry['kind']) => () => entry.kind === kind
  const never = () => false
  return {
    size: entry.kind === 'file' ? entry.size : 0,
    ino: entry.number,
    dev: 1,
    mtimeMs: entry.mtimeMs,
    isFile: is('file'),
    isDirectory: is('folder'),
    isSymbolicLink: is('link'),
    isFIFO: never,
    isSocket: never,
    isCharacterDevice: never,
    isBlockDevice: never,
  }
}

/** The calls of `node:fs` that flow makes, on a tree in memory. Their options are those that flow passes. */
export function syncFiles(tree: Tree, buffers: BufferOf): SyncFiles {
  const contents = new Contents(tree, buffers)
  // the calls take what flow passes them, which is less than Node's many forms
  return { ...byHandle(contents), ...byPath(contents), ...ofNames(tree) } as unknown as SyncFiles
}

/** Finds, makes and fills files. */
class Contents {
  readonly tree: Tree
  readonly buffers: BufferOf

  constructor(tree: Tree, buffers: BufferOf) {
    this.tree = tree
    this.buffers = buffers
  }

  bytesOf(content: Content): Uint8Array {
    return typeof content === 'string' ? this.buffers.from(content) : content
  }

  fileAt(path: string): FileEntry {
    const entry = this.tree.entry(path, 'open')
    if (entry.kind === 'folder') throw fault('EISDIR', 'open', path)
    return entry
  }

  /** The file at a path, made where it is missing and may be. */
  fileFor(path: string, flag: string): FileEntry {
    const place = this.tree.find(path, 'open')
    if (place.entry?.kind === 'folder') throw fault('EISDIR', 'open', path)
    if (place.entry?.kind === 'file') {
      if (flag.includes('x')) throw fault('EEXIST', 'open', path)
      if (place.entry.blob && flag !== 'r') throw fault('EROFS', 'open', path)
      if (flag.startsWith('w')) resize(place.entry, 0)
      return place.entry
    }
    if (flag.startsWith('r')) throw fault('ENOENT', 'open', path)
    const file = this.tree.file()
    this.tree.put(place, file)
    return file
  }

  write(file: FileEntry, bytes: Uint8Array, at: number): void {
    grow(file, at + bytes.length)
    file.bytes.set(bytes, at)
    file.size = Math.max(file.size, at + bytes.length)
    file.mtimeMs = Date.now()
  }

  whole(path: string): Buffer {
    const file = this.fileAt(path)
    if (file.blob)
      throw new Error(`${path}: a file of the visitor can be read piece by piece only, not at once`)
    return this.buffers.from(file.bytes.slice(0, file.size))
  }
}

/** Calls on files that are open. */
function byHandle(contents: Contents) {
  const handles = new Map<number, Open>()
  let lastHandle = 2
  const openAt = (handle: number): Open => {
    const open = handles.get(handle)
    if (!open) throw fault('EBADF', 'handle', String(handle))
    return open
  }
  return {
    openSync: (path: string, flag = 'r') => {
      const { entry } = contents.tree.find(path, 'open')
      // a folder can be opened, to be synced
      const isFolder = entry?.kind === 'folder' && flag === 'r'
      const file = isFolder ? contents.tree.file() : contents.fileFor(path, flag)
      handles.set(++lastHandle, { file, path, at: 0, appends: flag.startsWith('a') })
      return lastHandle
    },
    closeSync: (handle: number) => void handles.delete(handle),
    fsyncSync: (handle: number) => void openAt(handle),
    fstatSync: (handle: number) => statsOf(openAt(handle).file),
    readSync: (handle: number, into: Uint8Array, offset: number, length: number, position: number | null) => {
      const open = openAt(handle)
      if (open.file.blob)
        throw new Error(`${open.path}: a file of the visitor can be read asynchronously only`)
      const from = position ?? open.at
      const read = open.file.bytes.subarray(from, Math.min(from + length, open.file.size))
      into.set(read, offset)
      if (position === null) open.at += read.length
      return read.length
    },
    writeSync: (handle: number, content: Content, offset?: number) => {
      const open = openAt(handle)
      // of a text the third argument is a position, of bytes the first of them
      const isText = typeof content === 'string'
      const bytes = contents.bytesOf(content).subarray(isText ? 0 : (offset ?? 0))
      const at = isText && offset !== undefined ? offset : open.appends ? open.file.size : open.at
      contents.write(open.file, bytes, at)
      open.at = at + bytes.length
      return bytes.length
    },
  }
}

/** Calls that read and write whole files. */
function byPath(contents: Contents) {
  return {
    readFileSync: (path: string, encoding?: string) =>
      encoding === undefined ? contents.whole(path) : contents.whole(path).toString('utf8'),
    writeFileSync: (path: string, content: Content, options?: { flag?: string }) => {
      const file = contents.fileFor(path, options?.flag ?? 'w')
      contents.write(file, contents.bytesOf(content), file.size)
    },
    appendFileSync: (path: string, content: Content) => {
      const file = contents.fileFor(path, 'a')
      contents.write(file, contents.bytesOf(content), file.size)
    },
    truncateSync: (path: string, size = 0) => resize(contents.fileAt(path), size),
  }
}

/** Calls on names of files and folders. */
function ofNames(tree: Tree) {
  return {
    existsSync: (path: string) => {
      try {
        return tree.find(path, 'access').entry !== undefined
      } catch {
        return false
      }
    },
    mkdirSync: (path: string, options?: { recursive?: boolean }) =>
      makeFolder(tree, path, options?.recursive ?? false),
    readdirSync: (path: string, options?: { withFileTypes?: boolean }) => {
      const entry = tree.entry(path, 'scandir')
      if (entry.kind !== 'folder') throw fault('ENOTDIR', 'scandir', path)
      if (!options?.withFileTypes) return [...entry.entries.keys()].sort()
      const inOrder = [...entry.entries].sort(([a], [b]) => (a < b ? -1 : 1))
      return inOrder.map(([name, one]) => ({ name, parentPath: path, ...statsOf(one) }))
    },
    realpathSync: (path: string) => {
      tree.entry(path, 'realpath')
      return tree.find(path, 'realpath').path
    },
    statSync: (path: string, options?: { throwIfNoEntry?: boolean }) => {
      try {
        return statsOf(tree.entry(path, 'stat'))
      } catch (error) {
        const { code } = error as { code?: string }
        if (options?.throwIfNoEntry === false && code === 'ENOENT') return undefined
        throw error
      }
    },
    linkSync: (from: string, to: string) => {
      const file = tree.entry(from, 'link')
      const place = tree.find(to, 'link', false)
      if (place.entry) throw fault('EEXIST', 'link', to)
      tree.put(place, file)
    },
    renameSync: (from: string, to: string) => move(tree, from, to),
    rmSync: (path: string, options?: { recursive?: boolean; force?: boolean }) =>
      remove(tree, path, options ?? {}),
  }
}

function resize(file: FileEntry, size: number): void {
  grow(file, size)
  file.bytes.fill(0, Math.min(size, file.size))
  file.size = size
  file.mtimeMs = Date.now()
}

function makeFolder(tree: Tree, path: string, recursive: boolean): void {
  if (recursive) {
    const names = path.split('/').filter(name => name !== '')
    for (let i = 1; i < names.length; i++) makeIfMissing(tree, `/${names.slice(0, i).join('/')}`)
    makeIfMissing(tree, path)
    return
  }
  const place = tree.find(path, 'mkdir')
  if (place.entry) throw fault('EEXIST', 'mkdir', path)
  tree.put(place, tree.folder())
}

function makeIfMissing(tree: Tree, path: string): void {
  const place = tree.find(path, 'mkdir')
  if (place.entry?.kind === 'file') throw fault('EEXIST', 'mkdir', path)
  if (!place.entry) tree.put(place, tree.folder())
}

function move(tree: Tree, from: string, to: string): void {
  const source = tree.find(from, 'rename', false)
  if (!source.entry) throw fault('ENOENT', 'rename', from)
  const target = tree.find(to, 'rename', false)
  if (target.entry === source.entry) return
  if (target.entry?.kind === 'folder') {
    if (source.entry.kind !== 'folder') throw fault('EISDIR', 'rename', to)
    if (target.entry.entries.size > 0) throw fault('ENOTEMPTY', 'rename', to)
  } else if (target.entry && source.entry.kind === 'folder') throw fault('ENOTDIR', 'rename', to)
  tree.remove(source)
  tree.put(target, source.entry)
}

function remove(tree: Tree, path: string, { recursive = false, force = false }): void {
  let place: ReturnType<Tree['find']>
  try {
    place = tree.find(path, 'rm', false)
  } catch (error) {
    if (force) return
    throw error
  }
  if (!place.entry && force) return
  if (!place.entry) throw fault('ENOENT', 'rm', path)
  if (place.entry.kind === 'folder' && !recursive) throw fault('EISDIR', 'rm', path)
  tree.remove(place)
}
