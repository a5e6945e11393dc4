// The files of a tab: a tree in memory. A file holds its own bytes, or is one of the visitor's, which is read where it lies.

export interface FolderEntry {
  readonly kind: 'folder'
  readonly number: number
  readonly entries: Map<string, Entry>
  mtimeMs: number
}

export interface FileEntry {
  readonly kind: 'file'
  readonly number: number
  /** The first `size` of them count: room grows by doubling. */
  bytes: Uint8Array<ArrayBuffer>
  size: number
  /** Instead of the bytes: a file that can be read piece by piece, and not be changed. */
  readonly blob?: Blob
  mtimeMs: number
}

interface LinkEntry {
  readonly kind: 'link'
  readonly number: number
  readonly target: string
  mtimeMs: number
}

export type Entry = FolderEntry | FileEntry | LinkEntry

/** The result of looking up a path: the folder that contains the last name, and the entry with this name, if there is one. */
export interface Place {
  path: string
  parent: FolderEntry
  name: string
  entry: Entry | undefined
}

/** An error as Node's file system throws it. */
export function fault(code: string, call: string, path: string): Error {
  const message = `${code}: ${words[code] ?? 'it failed'}, ${call} '${path}'`
  return Object.assign(new Error(message), { code, path, syscall: call })
}

const words: Readonly<Record<string, string>> = {
  EEXIST: 'file already exists',
  EISDIR: 'illegal operation on a directory',
  ELOOP: 'too many symbolic links encountered',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EROFS: 'a file of the visitor cannot be changed',
  EBADF: 'bad file descriptor',
}

const mostLinks = 16

export class Tree {
  #count = 0
  readonly root: FolderEntry = this.folder()

  folder(): FolderEntry {
    return { kind: 'folder', number: this.#number(), entries: new Map(), mtimeMs: Date.now() }
  }

  file(content: Uint8Array<ArrayBuffer> | Blob = new Uint8Array()): FileEntry {
    const about = { kind: 'file', number: this.#number(), mtimeMs: Date.now() } as const
    if (content instanceof Blob)
      return { ...about, bytes: new Uint8Array(), size: content.size, blob: content }
    return { ...about, bytes: content, size: content.length }
  }

  link(target: string): LinkEntry {
    return { kind: 'link', number: this.#number(), target, mtimeMs: Date.now() }
  }

  /** Follows a path. The last name may be missing; of links in its place the targets count, unless `follow` is false. */
  find(path: string, call: string, follow = true, links = 0): Place {
    if (links > mostLinks) throw fault('ELOOP', call, path)
    const names = namesOf(path)
    const last = names.pop()
    let here = this.root
    let at = ''
    for (const [i, name] of names.entries()) {
      const next = here.entries.get(name)
      if (next?.kind === 'link') {
        const rest = [...names.slice(i + 1), ...(last === undefined ? [] : [last])].join('/')
        return this.find(`${targetOf(at, next.target)}/${rest}`, call, follow, links + 1)
      }
      if (!next) throw fault('ENOENT', call, path)
      if (next.kind !== 'folder') throw fault('ENOTDIR', call, path)
      here = next
      at = `${at}/${name}`
    }
    if (last === undefined) return { path: '/', parent: this.root, name: '', entry: this.root }
    const entry = here.entries.get(last)
    if (entry?.kind === 'link' && follow) return this.find(targetOf(at, entry.target), call, true, links + 1)
    return { path: `${at}/${last}`, parent: here, name: last, entry }
  }

  /** What is at a path, which must be there. */
  entry(path: string, call: string): FolderEntry | FileEntry {
    const { entry } = this.find(path, call)
    if (!entry || entry.kind === 'link') throw fault('ENOENT', call, path)
    return entry
  }

  /** Puts an entry at a place. */
  put({ parent, name }: Place, entry: Entry): void {
    parent.entries.set(name, entry)
    parent.mtimeMs = Date.now()
  }

  remove({ parent, name }: Place): void {
    parent.entries.delete(name)
    parent.mtimeMs = Date.now()
  }

  #number(): number {
    return ++this.#count
  }
}

const targetOf = (folder: string, target: string): string =>
  target.startsWith('/') ? target : `${folder}/${target}`

/** The names of an absolute path, or of one from the root; `.` and `..` are followed. */
function namesOf(path: string): string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

/** Makes room for so many bytes. */
export function grow(file: FileEntry, size: number): void {
  if (size > file.bytes.length) {
    const bytes = new Uint8Array(Math.max(size, file.bytes.length * 2))
    bytes.set(file.bytes.subarray(0, file.size))
    file.bytes = bytes
  }
}
