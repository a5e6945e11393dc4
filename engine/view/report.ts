import { existsSync, readFileSync, statSync } from '../platform/files.ts'
import { fileInside, isInside } from '../shared/inside.ts'
import type { Entry, LinesMessage, Message, SavedData } from './messages.ts'
import { savedPage } from './page-file.ts'
import { RunReader } from './run-reader.ts'

/** Of the completions: groups that are saved, so that a report does not grow with its run. */
const newestGroups = 24
const extremeGroups = 4
const mostPoints = 2000
const mostLines = 200
const mostPictureBytes = 8 << 20

/** The text of `report.html`, made of the other files of a run's folder: one page that needs nothing else. */
export const reportOf = (directory: string): string => savedPage(savedData(directory))

export function savedData(directory: string): SavedData {
  const all = new RunReader(directory, '.').look()
  const streams = new Map<string, Entry[]>()
  for (const message of all)
    if (message.type === 'lines')
      streams.set(message.stream, [...(streams.get(message.stream) ?? []), ...message.entries])
  const groups = chosenGroups(streams.get('samples') ?? [])
  const names = new Set(groups.map(groupName))
  const kept = [...streams].map(([stream, entries]) =>
    stream === 'samples'
      ? linesOf(stream, entries, groups)
      : stream === 'tokens'
        ? linesOf(
            stream,
            entries,
            entries.filter(entry => names.has(groupName(entry))),
          )
        : stream === 'metrics'
          ? linesOf(stream, entries, evenly(entries, mostPoints))
          : linesOf(stream, entries, entries.slice(-mostLines)),
  )
  const messages: Message[] = [
    { type: 'hello', control: false, graph: null, runs: [{ id: '.', shown: true }] },
    ...all.filter(message => message.type !== 'lines'),
    ...kept,
  ]
  return { messages, pictures: picturesOf(directory, kept) }
}

function linesOf(stream: string, entries: readonly Entry[], kept: readonly Entry[]): LinesMessage {
  const leftOut = entries.length - kept.length
  const about = { type: 'lines', run: '.', stream, entries: kept } as const
  return leftOut === 0 ? about : { ...about, leftOut: `${leftOut} of ${entries.length} lines` }
}

/** Completions of one prompt at one update have this in common. */
const groupName = ({ step, key, text }: Entry): string => JSON.stringify([step, key ?? text])

/** The newest groups, and those with the highest and the lowest reward, in the order of the run. */
function chosenGroups(entries: readonly Entry[]): Entry[] {
  const byName = new Map<string, Entry[]>()
  for (const entry of entries) {
    const name = groupName(entry)
    const group = byName.get(name)
    if (group) group.push(entry)
    else byName.set(name, [entry])
  }
  const groups = [...byName.values()]
  const byReward = groups
    .map(group => ({ group, reward: Math.max(...group.map(rewardOf)) }))
    .sort((a, b) => a.reward - b.reward)
    .map(({ group }) => group)
  const chosen = new Set([
    ...groups.slice(-newestGroups),
    ...byReward.slice(0, extremeGroups),
    ...byReward.slice(-extremeGroups),
  ])
  return groups.filter(group => chosen.has(group)).flat()
}

const rewardOf = ({ reward }: Entry): number => (typeof reward === 'number' ? reward : 0)

/** Evenly spaced elements, the first and the last among them. */
function evenly<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list]
  const chosen = new Set(
    Array.from({ length: most }, (_, i) => Math.round((i * (list.length - 1)) / (most - 1))),
  )
  return list.filter((_, i) => chosen.has(i))
}

/** The pictures in the run's folder that fields of the entries name. */
function picturesOf(directory: string, streams: readonly LinesMessage[]): Record<string, string> {
  const pictures: Record<string, string> = {}
  let bytes = 0
  for (const name of new Set(streams.flatMap(({ entries }) => entries.flatMap(picturesIn)))) {
    const file = existsSync(directory) ? fileInside(directory, name) : undefined
    if (file === undefined || bytes + statSync(file).size > mostPictureBytes) continue
    const picture = readFileSync(file)
    bytes += picture.length
    pictures[name] = picture.toString('base64')
  }
  return pictures
}

const picturesIn = (entry: Entry): string[] =>
  Object.values(entry).filter((value): value is string => isInside(value) && /\.jpg$/.test(value))
