import type { Entry } from '../messages.ts'
import { numberIn, type RunData, textOf } from './store.ts'

/** The completions of one prompt at one update; of an evaluation, the answer to one question. */
export interface Group {
  /** Unique in its run. */
  id: string
  step: number | undefined
  question: string
  solution: string
  /** The clip's frames, a picture in the run's folder. */
  frames: string | undefined
  video: string
  entries: Entry[]
  reward: number | undefined
}

const known = new WeakMap<Entry[], { count: number; groups: Group[] }>()

/** The groups of a run, in its order. */
export function groupsOf({ streams }: RunData): Group[] {
  const entries = streams.get('samples') ?? streams.get('results') ?? []
  const before = known.get(entries)
  if (before?.count === entries.length) return before.groups
  const groups = new Map<string, Group>()
  for (const [i, entry] of entries.entries()) {
    const id = 'key' in entry ? `${textOf(entry.step)} ${textOf(entry.key)}` : textOf(entry.id) || String(i)
    const group = groups.get(id)
    if (group) group.entries.push(entry)
    else groups.set(id, newGroup(id, entry))
  }
  for (const group of groups.values())
    group.reward = mean(group.entries.flatMap(e => numberIn(e, 'reward') ?? []))
  const list = [...groups.values()]
  known.set(entries, { count: entries.length, groups: list })
  return list
}

function newGroup(id: string, entry: Entry): Group {
  const frames = [entry.frames, entry.sheet].find(name => typeof name === 'string' && name.endsWith('.jpg'))
  const asked = textOf(entry.question) || textOf(entry.id)
  // the text of most benchmarks has them in it
  const options = (Array.isArray(entry.options) ? entry.options.map(textOf) : []).filter(
    option => !asked.includes(option),
  )
  return {
    id,
    step: numberIn(entry, 'step'),
    question: [asked, ...options].join('\n'),
    solution: textOf(entry.solution ?? entry.answer),
    frames: typeof frames === 'string' ? frames : undefined,
    video: textOf(entry.video ?? entry.clip),
    entries: [entry],
    reward: undefined,
  }
}

const knownTokens = new WeakMap<Entry[], { count: number; table: Map<string, Entry> }>()

const tokenName = (step: unknown, key: unknown, index: unknown): string => JSON.stringify([step, key, index])

/** The tokens of a completion with their numbers, if the run has recorded them. */
export function tokensOf({ streams }: RunData, { step, key, index }: Entry): Entry | undefined {
  const entries = streams.get('tokens')
  if (!entries) return undefined
  const known = knownTokens.get(entries) ?? { count: 0, table: new Map<string, Entry>() }
  knownTokens.set(entries, known)
  for (; known.count < entries.length; known.count++) {
    const entry = entries[known.count]
    if (entry) known.table.set(tokenName(entry.step, entry.key, entry.index), entry)
  }
  return known.table.get(tokenName(step, key, index))
}

export const completionOf = (entry: Entry): string =>
  textOf(entry.text ?? entry.output ?? entry.message) || textOf(entry.outcome)

/** Groups about the same question of the same clip, over the run. */
export const sameQuestion = (groups: readonly Group[], { question, video }: Group): Group[] =>
  groups.filter(group => group.question === question && group.video === video)

/** Words with which a model looks at its own reasoning again. */
const second =
  /\b(wait|hmm+|aha|actually|on second thought|let me (?:re-?)?(?:check|think|verify|look again|consider)|re-?(?:think|examine|evaluate|consider)|look(?:ing)? again|but (?:wait|maybe)|i made a mistake)\b/gi

/** A text cut at the phrases that show a second thought: every second piece is one. */
export function cutAtPhrases(text: string): string[] {
  const pieces: string[] = []
  let end = 0
  for (const found of text.matchAll(second)) {
    pieces.push(text.slice(end, found.index), found[0])
    end = found.index + found[0].length
  }
  return [...pieces, text.slice(end)]
}

export const hasPhrase = (text: string): boolean => cutAtPhrases(text).length > 1

const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length
