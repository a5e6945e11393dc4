import { codecs } from '#codecs'
import { nearestHint } from '../../engine/graph/did-you-mean.ts'
import type { Finding, Inspection, Outlines, SourceItem } from '../../engine/operator.ts'
import { existsSync, readdir, stat } from '../../engine/platform/files.ts'
import { basename, dirname } from '../../engine/platform/paths.ts'
import { codeOf, messageOf } from '../../engine/shared/errors.ts'
import { BuiltinError, resolvePath } from '../builtin.ts'
import { Span } from '../files/span.ts'
import type { Sample } from '../kinds.ts'
import { fileEnd } from '../video/file-end.ts'
import type { AnswerForm } from './columns.ts'
import { tooFewRows } from './enough-rows.ts'
import { listed, shown } from './listed.ts'
import { goldFaults, noSolutions, placeOf, repeatedOptions } from './solutions.ts'

interface Settings {
  path: string
  root: string
  epochs: number
  limit: number
  /** Names that the config gives to columns; without them the rows are read by fixed names. */
  columns?: Readonly<Record<string, unknown>>
  answerForm?: AnswerForm
}

/**
 * The remarks and findings of `flow check` about training data. All rows are read, and the size and the end of every clip;
 * ffmpeg decodes the first clips, and those that do not begin as a video does. A brief look asks whether clips are there and hold
 * anything.
 */
export async function inspectSamples(
  { path, root, epochs, limit, columns, answerForm = 'letter' }: Settings,
  read: () => Promise<readonly SourceItem<Sample>[]>,
  what: string,
  { isBrief }: Pick<Outlines, 'isBrief'> = {},
): Inspection {
  if (!isMade(path)) return []
  const samples = await read()
  const own = columns && { columns, answerForm }
  if (isBrief)
    return [
      ...(await absentClips(samples, root)),
      ...noSolutions(samples, own),
      { rows: samples.length },
      ...tooFewRows(samples.length, epochs, limit),
    ]
  const clips = await clipFaults(samples)
  const broken = samples.filter(({ value }) => clips.faults.has(value.video))
  return [
    `${samples.length} ${what} about ${clips.count} clips; all rows were read, and the size and end of every clip; ffmpeg decoded ${clips.decoded} of them`,
    ...(broken.length > 0 ? [brokenClips(clips.faults, broken.length, samples.length, root)] : []),
    ...goldFaults(samples),
    ...repeatedOptions(samples),
    ...noSolutions(samples, own),
    { rows: samples.length },
    ...tooFewRows(samples.length, epochs, limit),
  ]
}

/** The findings about samples that a graph makes of rows, e.g. by stream.map: what is said of those that are read as questions. */
export async function inspectMade(items: readonly SourceItem<unknown, string | number>[]): Inspection {
  // the cast: the kind of the items has been checked
  const samples = items.map(item => ({ ...item, key: String(item.key) }) as SourceItem<Sample>)
  const clips = await clipFaults(samples)
  const broken = samples.filter(({ value }) => clips.faults.has(value.video))
  const findings = [
    ...(broken.length > 0 ? [brokenClips(clips.faults, broken.length, samples.length, '')] : []),
    ...goldFaults(samples),
    ...repeatedOptions(samples),
    ...noSolutions(samples),
  ]
  return findings.map(finding =>
    finding.code === 'broken-clips'
      ? {
          ...finding,
          field: '',
          remedy: 'let the node before make paths of clips as the working directory sees them',
        }
      : { ...finding, field: '' },
  )
}

/** The findings about one clip, which ffmpeg opens. */
export async function inspectOne(value: Sample): Inspection {
  const { faults } = await clipFaults([{ key: '1', value }])
  const rule = 'must name a clip that can be decoded'
  const remedy = 'name a video file that ffmpeg reads, or a folder of numbered pictures'
  return [...faults].map(([video, { code, detail }]) => {
    const said = [words[code], detail].filter(Boolean).join('; ')
    return { field: 'video', rule, lines: [`${video}: ${said}`], code, remedy }
  })
}

/** Most clips that a brief look asks the disk for, which takes less than a second. */
const mostAsked = 10_000

/** A finding about the samples whose clips are not there or empty. Those after the first clips count as sound. */
async function absentClips(samples: readonly SourceItem<Sample>[], root: string): Promise<Finding[]> {
  const rows = [...firstRows(samples)].slice(0, mostAsked)
  const stats = await Promise.all(rows.map(([video]) => stat(video).catch(() => undefined)))
  const faults = new Map<string, Fault>()
  for (const [i, [video, sample]] of rows.entries()) {
    const fault = await absence(video, stats[i], faults.size < shown)
    if (fault) faults.set(video, { ...fault, row: placeOf(sample) })
  }
  const broken = samples.filter(({ value }) => faults.has(value.video))
  return broken.length > 0 ? [brokenClips(faults, broken.length, samples.length, root)] : []
}

/** Each clip, and the first sample about it. */
function firstRows(samples: readonly SourceItem<Sample>[]): Map<string, SourceItem<Sample>> {
  const rows = new Map<string, SourceItem<Sample>>()
  for (const sample of samples) if (!rows.has(sample.value.video)) rows.set(sample.value.video, sample)
  return rows
}

async function absence(video: string, found: Awaited<ReturnType<typeof stat>> | undefined, isShown: boolean) {
  if (!found) return missing(video, isShown)
  return found.isFile() && found.size === 0 ? { code: 'empty-clip', detail: '' } : undefined
}

const missing = async (video: string, isShown: boolean) => ({
  code: 'missing-clip',
  detail: isShown ? await besides(video) : '',
})

const words: Readonly<Record<string, string>> = {
  'missing-clip': 'not there',
  'empty-clip': 'is empty',
  'cut-clip': 'is cut',
}

/** False for built-in data that a run makes when it first needs it. */
function isMade(path: string): boolean {
  try {
    return !path.startsWith('builtin:') || existsSync(resolvePath(path))
  } catch (error) {
    if (error instanceof BuiltinError && error.code === 'no-builtin') return false
    throw error
  }
}

/** A fault of a clip: its kind, the place of the row that names it first, and details. */
interface Fault {
  code: string
  row: string
  detail: string
}

function brokenClips(faults: ReadonlyMap<string, Fault>, items: number, of: number, root: string): Finding {
  const byCode = new Map<string, string[]>()
  for (const [video, { code, row, detail }] of faults)
    byCode.set(code, [...(byCode.get(code) ?? []), `${video} (${row}${detail && `: ${detail}`})`])
  const allMissing = items === of && byCode.size === 1 && byCode.has('missing-clip')
  const place = `--set root=FOLDER, the one that the names of the clips start from${root && `, which ${root} is not`}`
  return {
    field: 'path',
    rule: 'must name clips that can be decoded',
    lines: [...byCode].map(([code, texts]) => `${texts.length} ${code}: ${listed(texts)}`),
    code: 'broken-clips',
    remedy: allMissing ? place : 'put these clips in place, or leave their rows out',
    failing: { items, of },
  }
}

/** Clips that ffmpeg decodes in a check: the first, and those that do not begin as a video does. */
const decodedFirst = 4
const decodedDoubtful = 8

/** What is wrong with clips, as far as their files show it, and what ffmpeg says of some of them. */
export async function clipFaults(samples: readonly SourceItem<Sample>[]) {
  const rows = firstRows(samples)
  const faults = new Map<string, Fault>()
  const doubtful: string[] = []
  const sound: string[] = []
  for (const [video, sample] of rows) {
    const state = await stateOf(video, faults.size < shown)
    if (typeof state === 'object') faults.set(video, { ...state, row: placeOf(sample) })
    else (state === 'sound' ? sound : doubtful).push(video)
  }
  let decoded = 0
  for (const video of [...doubtful.slice(0, decodedDoubtful), ...sound.slice(0, decodedFirst)]) {
    const row = rows.get(video)
    const fault = row && (await decodeFault(video, row.value))
    if (fault === 'no-ffmpeg') break
    decoded++
    if (row && fault !== undefined)
      faults.set(video, {
        code: 'undecodable-clip',
        row: placeOf(row),
        detail: fault.replace(`${video}: `, ''),
      })
  }
  return { faults, count: rows.size, decoded }
}

/** What is wrong with a clip as ffmpeg opens it. Where there is none, no clip is at fault: the check of the machine tells it once. */
async function decodeFault(video: string, sample: Sample): Promise<string | undefined> {
  try {
    const clip = await codecs.openClip(video, sample, { deadlineSeconds: 20, folderFramesPerSecond: 3 })
    clip.close?.()
    return undefined
  } catch (error) {
    return codeOf(error) === 'no-ffmpeg' ? 'no-ffmpeg' : messageOf(error)
  }
}

type State = 'sound' | 'doubtful' | { code: string; detail: string }

/** What the size, the first bytes and the end of a clip say; `doubtful` if they say nothing. */
async function stateOf(video: string, isShown: boolean): Promise<State> {
  const found = await stat(video).catch(() => undefined)
  const absent = await absence(video, found, isShown)
  if (absent || !found) return absent ?? 'doubtful'
  if (!found.isFile()) return 'doubtful'
  const end = await fileEnd(await Span.of(video))
  if (typeof end === 'object') return { code: 'cut-clip', detail: end.fault }
  return end === 'whole' ? 'sound' : 'doubtful'
}

/** The clip beside a missing one that was most likely meant. */
async function besides(video: string): Promise<string> {
  const names = await readdir(dirname(video)).catch(() => undefined)
  if (!names) return `there is no folder ${dirname(video)}`
  // of numbered files every number is as near as another
  const pattern = (name: string) => name.replaceAll(/\d+/g, '#')
  const others = names.filter(name => pattern(name) !== pattern(basename(video)))
  const hint = nearestHint(basename(video), others.slice(0, 1000))
  return hint.startsWith('nearest') ? hint : ''
}
