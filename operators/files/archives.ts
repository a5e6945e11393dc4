import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isMacCopy } from './video-extensions.ts'

/** An archive, or the parts of one in order. */
export interface Archive {
  paths: readonly string[]
  kind: ArchiveKind
}

type ArchiveKind =
  | 'zip'
  | 'zip parts'
  | 'zip volumes'
  | 'tar'
  | 'tar.gz'
  | 'tar.bz2'
  | 'tar.xz'
  | 'tar.zst'
  | '7z'
  | 'rar'

/** Endings of archives and of parts of archives, the longer first. Without its ending a part has the name of its archive. */
const endings: readonly [RegExp, ArchiveKind][] = [
  [/\.(?:tar\.gz|tgz)(?:[._-]?part)?[._-]?(?:[a-z]{2}|\d{1,3})?$/i, 'tar.gz'],
  [/\.(?:tar\.bz2|tbz2)(?:[._-]?part)?[._-]?(?:[a-z]{2}|\d{1,3})?$/i, 'tar.bz2'],
  [/\.tar\.xz(?:[._-]?part)?[._-]?(?:[a-z]{2}|\d{1,3})?$/i, 'tar.xz'],
  [/\.tar\.zst(?:[._-]?part)?[._-]?(?:[a-z]{2}|\d{1,3})?$/i, 'tar.zst'],
  [/\.tar(?:[._-]?part)?(?:[._-](?:[a-z]{2}|\d{1,3}))?$/i, 'tar'],
  [/\.zip$/i, 'zip'],
  [/\.zip[._-](?:part[._-]?)?(?:[a-z]{2}|\d{1,3})$/i, 'zip parts'],
  [/\.z\d{2}$/i, 'zip volumes'],
  [/\.7z(?:\.\d{3})?$/i, '7z'],
  [/(?:\.part\d{1,3})?\.rar$|\.r\d{2}$/i, 'rar'],
]

/** The archives in a folder and up to two levels below it. */
export async function archivesIn(folder: string, levels = 2): Promise<Archive[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const kept = entries.filter(({ name }) => !isMacCopy(name)).sort(byName)
  const names = kept.filter(entry => entry.isFile()).map(({ name }) => name)
  const below = levels === 0 ? [] : kept.filter(entry => entry.isDirectory())
  const inside = await Promise.all(below.map(({ name }) => archivesIn(join(folder, name), levels - 1)))
  return [...grouped(folder, names), ...inside.flat()]
}

/** The archive that a file is, or is the first part of. */
export async function archiveAt(path: string): Promise<Archive | undefined> {
  if (!endings.some(([pattern]) => pattern.test(basename(path)))) return undefined
  return (await archivesIn(dirname(path), 0)).find(({ paths }) => paths[0] === path)
}

/** Parts of one archive are put together; zip files of one name and several numbers are archives of their own. */
function grouped(folder: string, names: readonly string[]): Archive[] {
  const found = new Map<string, Archive & { paths: string[] }>()
  for (const name of names) {
    const ending = endings.find(([pattern]) => pattern.test(name))
    if (!ending) continue
    const [pattern, kind] = ending
    const whole = `${kind} ${name.replace(pattern, '')}`
    const archive = found.get(whole)
    if (archive) archive.paths.push(join(folder, name))
    else found.set(whole, { paths: [join(folder, name)], kind })
  }
  for (const [whole, archive] of found) {
    // the last volume has the ending of a whole archive
    const last = archive.kind === 'zip volumes' && found.get(whole.replace('zip volumes', 'zip'))
    if (!last) continue
    archive.paths.push(...last.paths)
    found.delete(whole.replace('zip volumes', 'zip'))
  }
  return [...found.values()]
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
    'tar.bz2': 'xj',
    'tar.xz': 'xJ',
    'tar.zst': '--zstd -x',
  }
  const tar = tars[kind]
  if (tar !== undefined && paths.length > 1)
    return `cat ${files} | tar -C ${folder} -${tar} -f -`.replace('---', '--')
  if (tar !== undefined) return `tar -C ${folder} -${tar} -f ${files}`.replace('---', '--')
  if (kind === 'zip volumes') {
    const last = quoted(paths.at(-1) ?? first)
    return `zip -s 0 ${last} --out ${folder}/whole.zip && unzip -n ${folder}/whole.zip -d ${folder}`
  }
  if (kind === 'zip parts')
    return `cat ${files} > ${folder}/whole.zip && unzip -n ${folder}/whole.zip -d ${folder}`
  if (kind === 'zip') return `unzip -n ${files} -d ${folder}`
  const whole = quoted(paths.find(path => /\.rar$/i.test(path)) ?? first)
  return kind === 'rar' ? `unrar x -o- ${whole} ${folder}/` : `7z x -aos -o${folder} ${quoted(first)}`
}

const quoted = (path: string): string =>
  /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
