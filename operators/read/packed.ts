import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Question } from '../question.ts'
import { type Archive, archivesIn, namesIn, unpackCommand } from './archives.ts'
import { ReadError } from './read-error.ts'
import { isVideo, stemOf } from './video-extensions.ts'

/**
 * Throws `packed`, with the commands that unpack them, where clips are missing because archives that hold them were not
 * unpacked, or where `subtitles` are wanted, none is there, and an archive is named after them.
 */
export async function refusePacked(
  folder: string,
  questions: readonly Question[],
  subtitles: readonly string[],
): Promise<void> {
  const clips = [...new Set(questions.map(({ video }) => video))]
  const missing = clips.filter(path => !existsSync(path))
  const lacksSubtitles = subtitles.length > 0 && !subtitles.some(path => existsSync(path))
  if (missing.length === 0 && !lacksSubtitles) return
  const packed: Archive[] = []
  let [holdsClips, holdsSubtitles] = [false, false]
  for (const archive of await archivesIn(folder)) {
    const isNamed = /subtitle|caption/i.test(basename(archive.paths[0] ?? ''))
    const forSubtitles = lacksSubtitles && isNamed
    const forClips =
      missing.length > 0 && !isNamed && (await holds(archive, missing, missing.length === clips.length))
    holdsClips ||= forClips
    holdsSubtitles ||= forSubtitles
    if (forClips || forSubtitles) packed.push(archive)
  }
  if (packed.length === 0) return
  const what = [
    ...(holdsClips ? [`${missing.length} of ${clips.length} clips`] : []),
    ...(holdsSubtitles ? ['all subtitles'] : []),
  ]
  const commands = packed.map(unpackCommand)
  const more = commands.length > shown ? `\n… and ${commands.length - shown} more` : ''
  throw new ReadError(
    'packed',
    `${folder}: ${what.join(' and ')} still lie in archives; unpack them:\n${commands.slice(0, shown).join('\n')}${more}`,
  )
}

const shown = 30

/** Whether an archive lists a missing clip; where every clip is missing one that cannot be listed counts too. */
async function holds(archive: Archive, missing: readonly string[], isAll: boolean): Promise<boolean> {
  const names = await namesIn(archive)
  if (!names) return isAll
  const stems = new Set([...names].filter(isVideo).map(stemOf))
  return missing.some(path => names.has(basename(path)) || stems.has(stemOf(basename(path))))
}
