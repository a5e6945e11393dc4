import type { Files } from '../platform.ts'
import { type BufferOf, statsOf, syncFiles } from './sync-files.ts'
import { type FileEntry, fault, type Tree } from './tree.ts'

/** All calls of `Files`, on a tree in memory. */
export function tabFiles(tree: Tree, buffers: BufferOf): Files {
  const sync = syncFiles(tree, buffers)
  const entry = (path: string): FileEntry => {
    const found = tree.entry(path, 'open')
    if (found.kind === 'folder') throw fault('EISDIR', 'read', path)
    return found
  }
  const bytes = async (file: FileEntry, begin: number, end: number): Promise<Uint8Array> =>
    file.blob
      ? new Uint8Array(await file.blob.slice(begin, end).arrayBuffer())
      : file.bytes.slice(begin, Math.min(end, file.size))
  const calls = {
    mkdir: async (...about: Parameters<Files['mkdirSync']>) => sync.mkdirSync(...about),
    mkdtemp: async (prefix: string) => {
      const path = `${prefix}${Math.random().toString(36).slice(2, 8)}`
      sync.mkdirSync(path)
      return path
    },
    copyFile: async (from: string, to: string) => {
      const file = entry(from)
      const place = tree.find(to, 'copyfile')
      if (place.entry?.kind === 'folder') throw fault('EISDIR', 'copyfile', to)
      tree.put(place, tree.file(file.blob ?? file.bytes.slice(0, file.size)))
    },
    readFile: async (path: string, encoding?: string) => {
      const file = entry(path)
      const whole = buffers.from(await bytes(file, 0, file.size))
      return encoding === undefined ? whole : whole.toString('utf8')
    },
    readdir: async (...about: Parameters<Files['readdirSync']>) => sync.readdirSync(...about),
    rename: async (from: string, to: string) => sync.renameSync(from, to),
    rm: async (...about: Parameters<Files['rmSync']>) => sync.rmSync(...about),
    stat: async (path: string) => statsOf(tree.entry(path, 'stat')),
    symlink: async (target: string, path: string) => {
      const place = tree.find(path, 'symlink', false)
      if (place.entry) throw fault('EEXIST', 'symlink', path)
      tree.put(place, tree.link(target))
    },
    writeFile: async (path: string, content: string | Uint8Array) => sync.writeFileSync(path, content),
    open: async (path: string, flag = 'r') => {
      const handle = sync.openSync(path, flag)
      const { entry: found } = tree.find(path, 'open')
      if (found?.kind !== 'file') throw fault('EISDIR', 'open', path)
      let at = flag.startsWith('a') ? found.size : 0
      return {
        stat: async () => statsOf(found),
        sync: async () => {},
        close: async () => sync.closeSync(handle),
        readFile: async () => buffers.from(await bytes(found, 0, found.size)),
        read: async (buffer: Uint8Array, offset = 0, length = buffer.length - offset, position = at) => {
          const read = await bytes(found, position, position + length)
          buffer.set(read, offset)
          at = position + read.length
          return { buffer, bytesRead: read.length }
        },
        write: async (content: Uint8Array, offset = 0) => ({
          bytesWritten: sync.writeSync(handle, content, offset),
        }),
      }
    },
    createReadStream: (path: string, { start = 0, end = Number.POSITIVE_INFINITY } = {}) => {
      let over = false
      return {
        async *[Symbol.asyncIterator]() {
          const file = entry(path)
          const stop = Math.min(file.size, end + 1)
          for (let from = start; from < stop && !over; from += pieceBytes)
            yield buffers.from(await bytes(file, from, Math.min(stop, from + pieceBytes)))
        },
        destroy: () => {
          over = true
        },
      }
    },
  }
  // the calls take what flow passes them, which is less than Node's many forms
  return { ...sync, ...(calls as unknown as Omit<Files, keyof typeof sync>) }
}

const pieceBytes = 1 << 20
