import { type FileHandle, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMacCopy } from './video-extensions.ts'

/** An archive, or the parts of one in order. */
export interface Archive {
  paths: readonly string[]
  kind: ArchiveKind
}

type ArchiveKind = 'zip' | 'zip parts' | 'tar' | 'tar.gz' | 'tar.xz' | 'tar.zst' | '7z' | 'rar'

/** Endings of archives and of parts of archives, the longer first. Without its ending a part has the name of its archive. */
const endings: readonly [RegExp, ArchiveKind][] = [
  [/\.(?:tar\.gz|tgz)(?:[._-]?part)?[._-]?(?:[a-z]{2}|\d{1,3})?$/i, 'tar.gz'],
  [/\.tar\.xz(?:[._-]?part)?[._-]?(?:[a-z]{2}|\d{1,3})?$/i, 'tar.xz'],
  [/\.tar\.zst(?:[._-]?part)?[._-]?(?:[a-z]{2}|\d{1,3})?$/i, 'tar.zst'],
  [/\.tar(?:[._-]?part)?(?:[._-](?:[a-z]{2}|\d{1,3}))?$/i, 'tar'],
  [/\.zip$/i, 'zip'],
  [/\.(?:zip[._-](?:part[._-]?)?(?:[a-z]{2}|\d{1,3})|z\d{2})$/i, 'zip parts'],
  [/\.7z(?:\.\d{3})?$/i, '7z'],
  [/\.rar$/i, 'rar'],
]

/** The archives in a folder and up to two levels below it. */
export async function archivesIn(folder: string, levels = 2): Promise<Archive[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const found = new Map<string, Archive & { paths: string[] }>()
  for (const { name } of entries.filter(entry => entry.isFile() && !isMacCopy(entry.name)).sort(byName)) {
    const ending = endings.find(([pattern]) => pattern.test(name))
    if (!ending) continue
    const [pattern, kind] = ending
    const whole = `${kind} ${name.replace(pattern, '')}`
    const archive = found.get(whole)
    if (archive && kind !== 'zip') archive.paths.push(join(folder, name))
    else found.set(kind === 'zip' ? name : whole, { paths: [join(folder, name)], kind })
  }
  const folders = entries.filter(entry => entry.isDirectory() && !isMacCopy(entry.name)).sort(byName)
  const below = levels === 0 ? [] : folders.map(({ name }) => archivesIn(join(folder, name), levels - 1))
  return [...found.values(), ...(await Promise.all(below)).flat()]
}

/** Part 10 comes after part 9. */
const byName = (a: { name: string }, b: { name: string }): number =>
  a.name.localeCompare(b.name, 'en', { numeric: true })

/** The command that unpacks an archive into its folder. */
export function unpackCommand({ paths, kind }: Archive): string {
  const [first = ''] = paths
  const folder = quoted(dirname(first))
  const files = paths.map(quoted).join(' ')
  const tars: Readonly<Record<string, string>> = {
    tar: 'x',
    'tar.gz': 'xz',
    'tar.xz': 'xJ',
    'tar.zst': '--zstd -x',
  }
  const tar = tars[kind]
  if (tar !== undefined && paths.length > 1)
    return `cat ${files} | tar -C ${folder} -${tar} -f -`.replace('---', '--')
  if (tar !== undefined) return `tar -C ${folder} -${tar} -f ${files}`.replace('---', '--')
  if (kind === 'zip parts')
    return `cat ${files} > ${folder}/whole.zip && unzip -n ${folder}/whole.zip -d ${folder}`
  if (kind === 'zip') return `unzip -n ${files} -d ${folder}`
  return kind === 'rar' ? `unrar x -o- ${files} ${folder}/` : `7z x -aos -o${folder} ${quoted(first)}`
}

const quoted = (path: string): string =>
  /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`

/** The names of the files in an archive and of the folders that hold them; undefined where only unpacking it would show them. */
export async function namesIn({ paths, kind }: Archive): Promise<Set<string> | undefined> {
  if (kind !== 'zip' && kind !== 'tar') return undefined
  const parts: Part[] = []
  try {
    for (const path of paths) {
      const handle = await open(path)
      parts.push({ handle, size: (await handle.stat()).size })
    }
    return await (kind === 'zip' ? namesInZip(parts) : namesInTar(parts))
  } finally {
    for (const { handle } of parts) await handle.close()
  }
}

interface Part {
  handle: FileHandle
  size: number
}

/** Bytes of the parts laid end to end. */
async function readAt(parts: readonly Part[], start: number, length: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let [at, left] = [start, length]
  for (const { handle, size } of parts) {
    if (at < size && left > 0) {
      const piece = Buffer.alloc(Math.min(left, size - at))
      const { bytesRead } = await handle.read(piece, 0, piece.length, at)
      pieces.push(piece.subarray(0, bytesRead))
      left -= bytesRead
      at += bytesRead
    }
    at -= size
  }
  return Buffer.concat(pieces)
}

const sizeOf = (parts: readonly Part[]): number => parts.reduce((sum, { size }) => sum + size, 0)

/** The directory of a larger zip file is not read. Ten thousand files need about 1 MB. */
const mostListBytes = 64 * 2 ** 20

/** From the directory at the end of a zip file. */
async function namesInZip(parts: readonly Part[]): Promise<Set<string> | undefined> {
  const size = sizeOf(parts)
  const start = Math.max(0, size - 65_557 - 20)
  const tail = await readAt(parts, start, size - start)
  const end = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  if (end < 0 || end + 20 > tail.length) return undefined
  let [length, at] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)]
  if (at === 0xffffffff || length === 0xffffffff) {
    const locator = end - 20
    if (locator < 0) return undefined
    const large = await readAt(parts, Number(tail.readBigUInt64LE(locator + 8)), 56)
    if (large.length < 56) return undefined
    ;[length, at] = [Number(large.readBigUInt64LE(40)), Number(large.readBigUInt64LE(48))]
  }
  if (length > mostListBytes) return undefined
  const list = await readAt(parts, at, length)
  const names = new Set<string>()
  for (let i = 0; i + 46 <= list.length && list.readUInt32LE(i) === 0x02014b50; ) {
    const [name, extra, comment] = [28, 30, 32].map(field => list.readUInt16LE(i + field))
    addParts(names, list.toString('utf8', i + 46, i + 46 + (name ?? 0)))
    i += 46 + (name ?? 0) + (extra ?? 0) + (comment ?? 0)
  }
  return names
}

/** From the header before each file of a tar archive. */
async function namesInTar(parts: readonly Part[]): Promise<Set<string> | undefined> {
  const names = new Set<string>()
  const size = sizeOf(parts)
  let long: string | undefined
  for (let at = 0; at + 512 <= size; ) {
    const header = await readAt(parts, at, 512)
    if (header.every(byte => byte === 0)) break
    if (header.toString('latin1', 257, 262) !== 'ustar') return at === 0 ? undefined : names
    const length = Number.parseInt(header.toString('latin1', 124, 136), 8)
    if (!(length >= 0)) return undefined
    const type = header.toString('latin1', 156, 157)
    const name = header.toString('utf8', 0, 100).replace(/\0.*$/s, '')
    if (type === 'L')
      long = (await readAt(parts, at + 512, Math.min(length, 4096))).toString('utf8').replace(/\0.*$/s, '')
    else if (type !== 'x' && type !== 'g') {
      addParts(names, long ?? name)
      long = undefined
    }
    at += 512 + Math.ceil(length / 512) * 512
  }
  return names.size > 0 ? names : undefined
}

function addParts(names: Set<string>, path: string): void {
  for (const part of path.split('/')) if (part !== '') names.add(part)
}
