import { existsSync } from 'node:fs'
import { basename, dirname, extname, join, relative, sep } from 'node:path'
import { inside } from '../../engine/shared/inside.ts'
import { type Archive, archivesIn, unpackCommand } from '../files/archives.ts'
import type { Member } from '../files/member.ts'
import { openArchive } from '../files/open-archive.ts'
import { isVideo, stemOf } from '../files/video-extensions.ts'
import type { Question } from '../question.ts'
import { ReadError } from './read-error.ts'

/** Questions whose clips and subtitles were looked for in archives, too. */
export interface Located {
  questions: readonly Question[]
  /** Paths of clips that lead into archives. */
  packed: ReadonlySet<string>
  /** What may be wrong, where the run can go on. */
  warnings: readonly string[]
}

/**
 * Finds clips and subtitles that are not there in the archives of the benchmark's folder: their paths then lead into an
 * archive, which is read where it lies. Throws `packed`, with the commands that unpack them, where an archive that cannot
 * be read holds clips that are missing, or may hold them and all are missing. Questions whose subtitles are nowhere have none.
 */
export async function locate(folder: string, questions: readonly Question[]): Promise<Located> {
  const clips = missingOf(questions.map(({ video }) => video))
  const texts = missingOf(questions.flatMap(({ fields }) => fields.subtitles?.path ?? []))
  if (clips.absent.length === 0 && texts.absent.length === 0)
    return { questions, packed: new Set(), warnings: [] }
  const search = await searchOf(folder)
  const [placesOfClips, placesOfTexts] = [placesOf(clips.absent, search), placesOf(texts.absent, search)]
  const lacks = (one: typeof clips, places: ReadonlyMap<string, string>) => {
    const lost = one.absent.filter(path => !places.has(path))
    return { lost, isAll: lost.length > 0 && lost.length === one.count }
  }
  const [lostClips, lostTexts] = [lacks(clips, placesOfClips), lacks(texts, placesOfTexts)]
  const warnings = refuse(folder, search.closed, { clips: lostClips, texts: lostTexts, count: clips.count })
  const moved = questions.map(question => movedTo(question, placesOfClips, placesOfTexts))
  return { questions: moved, packed: new Set([...placesOfClips.values()]), warnings }
}

function missingOf(paths: readonly string[]): { absent: string[]; count: number } {
  const all = [...new Set(paths)]
  return { absent: all.filter(path => !existsSync(path)), count: all.length }
}

function movedTo(
  question: Question,
  clips: ReadonlyMap<string, string>,
  texts: ReadonlyMap<string, string>,
): Question {
  const { subtitles, ...fields } = question.fields
  const path = subtitles && (existsSync(subtitles.path) ? subtitles.path : texts.get(subtitles.path))
  const found = subtitles && path !== undefined && { subtitles: { ...subtitles, path } }
  return { ...question, video: clips.get(question.video) ?? question.video, fields: { ...fields, ...found } }
}

interface Search {
  folder: string
  /** What archives hold, by the last part of a path: a file, or a folder of files. */
  byName: ReadonlyMap<string, readonly Place[]>
  /** Archives that cannot be read here, and files in them that are known to be there. */
  closed: readonly Closed[]
}

interface Place {
  /** Leads into the archive. */
  path: string
  /** Where it would lie if the archive were unpacked into its folder, or into one of its own name. */
  wouldBe: readonly string[]
  /** The same for two files with the same content. */
  content: string
}

interface Closed {
  archive: Archive
  fault: string
  names?: ReadonlySet<string>
}

async function searchOf(folder: string): Promise<Search> {
  const byName = new Map<string, Place[]>()
  const closed: Closed[] = []
  for (const archive of await archivesIn(folder)) {
    const opened = await openArchive(archive)
    if ('fault' in opened) {
      closed.push({ archive, fault: opened.fault })
      continue
    }
    const faults = [...opened.members.values()].flatMap(({ fault, name }) => (fault ? [{ fault, name }] : []))
    if (faults[0])
      closed.push({ archive, fault: faults[0].fault, names: namesOf(faults.map(({ name }) => name)) })
    for (const [name, place] of placesIn(archive, opened.members)) {
      const places = byName.get(name)
      if (places) places.push(place)
      else byName.set(name, [place])
    }
  }
  return { folder, byName, closed }
}

const namesOf = (paths: readonly string[]): Set<string> =>
  new Set(paths.flatMap(path => [basename(path), stemOf(basename(path)), basename(dirname(path))]))

function* placesIn({ paths }: Archive, members: ReadonlyMap<string, Member>): Generator<[string, Place]> {
  const [first = ''] = paths
  const folder = dirname(first)
  const own = join(folder, basename(first).split('.')[0] || '.')
  const folders = new Set<string>()
  const placeOf = (name: string, content: string): Place => {
    return { path: inside(first, name), wouldBe: [inside(folder, name), inside(own, name)], content }
  }
  for (const [name, { state, fault }] of members) {
    if (fault !== undefined) continue
    const place = placeOf(name, state)
    yield [basename(name), place]
    if (isVideo(name)) yield [stemOf(basename(name)), place]
    if (isText(name)) yield [`text ${basename(name, extname(name))}`, place]
    if (/\.(jpe?g|png)$/i.test(name)) folders.add(dirname(name))
  }
  for (const name of folders) yield [basename(name), placeOf(name, `${first} ${name}`)]
}

const isText = (name: string): boolean => /\.(srt|vtt|json)$/i.test(name)

function placesOf(paths: readonly string[], { folder, byName }: Search): Map<string, string> {
  const found = new Map<string, string>()
  for (const path of paths) {
    const name = basename(path)
    const names = [
      name,
      ...(isVideo(name) ? [stemOf(name)] : []),
      ...(isText(name) ? [`text ${basename(name, extname(name))}`] : []),
    ]
    const place = names.map(one => bestOf(path, byName.get(one) ?? [], folder)).find(one => one !== undefined)
    if (place !== undefined) found.set(path, place)
  }
  return found
}

/**
 * The place that shares most of a path. Folders that every benchmark has count for nothing, and the nearest other one must be the
 * same, so that clips of one name in several folders are not taken for each other.
 */
function bestOf(path: string, places: readonly Place[], folder: string): string | undefined {
  const wanted = relative(folder, path).split(sep)
  const telling = tellingFolder(wanted)
  let [best, score]: [Place | undefined, number] = [undefined, 0]
  let isDoubtful = false
  for (const place of places)
    for (const other of place.wouldBe.map(one => relative(folder, one).split(sep))) {
      if (telling !== undefined && tellingFolder(other) !== telling) continue
      const shared = sharedEnd(wanted, other)
      if (best && shared === score && place !== best && place.content !== best.content) isDoubtful = true
      if (best && shared <= score) continue
      isDoubtful = false
      ;[best, score] = [place, shared]
    }
  return isDoubtful ? undefined : best?.path
}

const usualFolders = ['video', 'videos', 'data', 'clips', 'all_videos', 'subtitle', 'subtitles', '.']

const tellingFolder = (parts: readonly string[]): string | undefined =>
  parts.slice(0, -1).findLast(part => !usualFolders.includes(part))

function sharedEnd(one: readonly string[], other: readonly string[]): number {
  let count = 0
  // the names may differ in their endings
  for (let i = 2; i <= Math.min(one.length, other.length) && one.at(-i) === other.at(-i); i++) count++
  return count + (one.at(-1) === other.at(-1) ? 1.5 : 1)
}

interface Lost {
  clips: { lost: readonly string[]; isAll: boolean }
  texts: { lost: readonly string[]; isAll: boolean }
  count: number
}

/** Throws where the run would miss what archives hold, or returns what they may hold. */
function refuse(folder: string, closed: readonly Closed[], { clips, texts, count }: Lost): string[] {
  const isOfTexts = ({ archive: { paths } }: Closed) => /subtitle|caption/i.test(basename(paths[0] ?? ''))
  const holds = ({ names }: Closed, lost: readonly string[]) =>
    names && lost.some(path => [basename(path), stemOf(basename(path))].some(name => names.has(name)))
  const forClips = closed.filter(one => clips.lost.length > 0 && !isOfTexts(one))
  const forTexts = closed.filter(one => texts.lost.length > 0 && isOfTexts(one))
  const sure = closed.filter(
    one =>
      (forClips.includes(one) && (one.names ? holds(one, clips.lost) : clips.isAll)) ||
      (forTexts.includes(one) && (one.names ? holds(one, texts.lost) : texts.isAll)),
  )
  const unsure = [...forClips, ...forTexts].filter(one => !one.names && !sure.includes(one))
  if (sure.length === 0 && unsure.length === 0) return []
  const what = [
    ...(forClips.length > 0 ? [`${clips.lost.length} of ${count} clips`] : []),
    ...(forTexts.length > 0
      ? [texts.isAll ? 'all subtitles' : `${texts.lost.length} files of subtitles`]
      : []),
  ].join(' and ')
  const listed = (list: readonly Closed[]) => {
    const lines = list.slice(0, shown).map(one => `${unpackCommand(one.archive)} # ${one.fault}`)
    return [...lines, ...(list.length > shown ? [`… and ${list.length - shown} more`] : [])].join('\n')
  }
  if (sure.length === 0)
    return [
      `${folder}: ${what} are missing; they may lie in archives that cannot be read:\n${listed(unsure)}`,
    ]
  throw new ReadError(
    'packed',
    `${folder}: ${what} still lie in archives; unpack them:\n${listed([...sure, ...unsure])}`,
  )
}

const shown = 30
