import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type Provenance, provenanceOf, readOrigin } from './origin.ts'
import type { Recipe } from './store.ts'

/** What tells one evaluation from another at a glance. */
export interface Heading {
  /** The checkpoint, or who answered in its place. */
  model: string
  profile: string
  /** Day and minute of the evaluation, in UTC; empty where there is none. */
  date: string
  /** Weights, data, version and adapter, as far as the folder tells them. */
  details: readonly string[]
}

export function headingOf(folder: string, recipe: Recipe): Heading {
  const text = (name: string) => (typeof recipe[name] === 'string' ? recipe[name] : '')
  const answers = text('answers')
  const isModel = answers === '' || answers === 'model'
  const model = isModel ? text('model') || 'a model' : answers
  const provenance = provenanceOf(recipe, readOrigin(folder))
  return {
    model,
    profile: profileText(text('profile'), text('decoding'), text('scorer')),
    date: dateOf(folder, provenance),
    details: detailsOf(provenance),
  }
}

/** Folders of earlier versions do not state a date: then that of the newest result, each of which is a new file. */
function dateOf(folder: string, { date }: Provenance): string {
  const changed = date ?? statSync(join(folder, 'results'), { throwIfNoEntry: false })?.mtime.toISOString()
  return changed === undefined ? '' : `${changed.replace('T', ' ').slice(0, 16)} UTC`
}

/** Each fact that decides a score or was there when it was made, in words; none for what the folder does not tell. */
export function detailsOf({ digest, data, version, commit, adapter }: Provenance): string[] {
  const flow = [version && `flow ${version}`, commit && `commit ${commit.slice(0, 12)}`]
    .filter(Boolean)
    .join(', ')
  return [
    digest === null ? '' : `weights ${digest.slice(0, 12)}`,
    data === null ? '' : `data ${data}`,
    flow,
    adapter === null ? '' : `on ${adapter}`,
  ].filter(text => text !== '')
}

/** `strict`, and what differs from it. */
function profileText(profile: string, decoding: string, scorer: string): string {
  const others = [
    ...(decoding && decoding !== profile ? [`decoding ${decoding}`] : []),
    ...(scorer && scorer !== profile ? [`scorer ${scorer}`] : []),
  ]
  return [profile && `profile ${profile}`, ...others].filter(Boolean).join(', ')
}
