import { messageOf } from '../../engine/shared/errors.ts'
import { isInside } from '../../engine/shared/inside.ts'
import { ArchiveError } from './archive-error.ts'
import type { Archive } from './archives.ts'
import { type FileState, stateOf } from './file-state.ts'
import type { Member } from './member.ts'
import { Span } from './span.ts'
import { tarGzMembers, tarMembers } from './tar.ts'
import { zipMembers } from './zip.ts'

/** The files of an archive by their paths in it, or why it cannot be read here. */
export type OpenedArchive = { members: ReadonlyMap<string, Member>; state: FileState } | { fault: string }

const readers: Readonly<Partial<Record<Archive['kind'], (bytes: Span) => Promise<Member[]>>>> = {
  zip: zipMembers,
  'zip parts': zipMembers,
  'zip volumes': zipMembers,
  tar: tarMembers,
  'tar.gz': tarGzMembers,
}

/** Lists of archives that were read, by the paths of their parts. They are dropped when the archive changes. */
const opened = new Map<string, { state: FileState; archive: Promise<OpenedArchive> }>()

/** Reads the list of an archive once, for as long as its files do not change. */
export async function openArchive({ paths, kind }: Archive): Promise<OpenedArchive> {
  const state = await stateOf(paths)
  const key = paths.join('\0')
  const known = opened.get(key)
  if (known?.state.text === state.text) return known.archive
  const archive = list({ paths, kind }, state)
  opened.set(key, { state, archive })
  return archive
}

async function list({ paths, kind }: Archive, state: FileState): Promise<OpenedArchive> {
  const read = readers[kind]
  if (!read) return { fault: `${kind} cannot be read without unpacking it` }
  try {
    const members = await read(await Span.of(...paths))
    // a name that leads out of the archive names nothing
    const named = members.map(member => [cleaned(member.name), member] as const)
    return { members: new Map(named.filter(([name]) => isInside(name))), state }
  } catch (error) {
    if (!(error instanceof ArchiveError) && !isBadData(error)) throw error
    return { fault: messageOf(error) }
  }
}

/** What a decompressor says about data that is not what it should be. */
const isBadData = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')

const cleaned = (name: string): string =>
  name
    .split(/[/\\]/)
    .filter(part => part !== '' && part !== '.')
    .join('/')
