// Named rewards that have the same value for all completions so far: they teach nothing, and most likely nobody meant that.
import type { Completion } from '../kinds.ts'

/** Counts so far, saved in checkpoints. */
export interface StillRewards {
  completions: number
  groups: number
  /** The one value of each reward that has had no other; null where it applied to no completion. */
  values: Record<string, number | null>
  /** Whether it is decided which rewards are still. */
  isTold: boolean
}

export const nothingSeen = (): StillRewards => ({ completions: 0, groups: 0, values: {}, isTold: false })

/** A reward that was still for so long is told of while the run goes on, or at its end if that is earlier. */
const first = { groups: 5, completions: 40 }
const fewest = { groups: 3, completions: 24 }

/** Adds the completions of a group; after the first ones, what is to be said of rewards that were the same for all. */
export function addGroup(seen: StillRewards, completions: readonly Completion[]): string | undefined {
  if (seen.isTold) return undefined
  const isFirst = seen.groups === 0
  for (const [i, { rewards = {} }] of completions.entries()) {
    if (isFirst && i === 0) seen.values = { ...rewards }
    for (const [name, value] of Object.entries(seen.values))
      if (rewards[name] !== value) delete seen.values[name]
  }
  seen.groups++
  seen.completions += completions.length
  return isEnough(seen, first) ? tell(seen) : undefined
}

/** What is to be said at the end of a run that was too short for `addGroup` to say it. */
export const atEnd = (seen: StillRewards): string | undefined =>
  !seen.isTold && isEnough(seen, fewest) ? tell(seen) : undefined

const isEnough = (seen: StillRewards, least: typeof first): boolean =>
  seen.groups >= least.groups && seen.completions >= least.completions

function tell(seen: StillRewards): string | undefined {
  seen.isTold = true
  const values = Object.entries(seen.values)
  if (values.length === 0) return undefined
  const names = values.map(([name, value]) => `"${name}" was ${value ?? 'no number (null)'}`)
  return (
    `the reward ${names.join(', and ')} for all ${seen.completions} completions of the first ${seen.groups} questions, ` +
    `and what never differs teaches nothing. ${[...new Set(values.map(([, value]) => askedOf(value)))].join(' ')} ` +
    'Text and rewards are in samples.jsonl'
  )
}

/** What to ask about a reward that always had this value. */
function askedOf(value: number | null): string {
  if (value === null) return 'With null, does it apply to these questions at all?'
  if (value === 0)
    return 'With 0, does it find what it looks for, such as tags, a letter, or the field of a row?'
  return `With ${value}, is what it asks for always fulfilled, e.g. by a limit that no completion reaches?`
}
