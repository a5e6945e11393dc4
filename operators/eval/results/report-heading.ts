import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Recipe } from './store.ts'

/** What tells one evaluation from another at a glance. */
export interface Heading {
  /** The checkpoint, or who answered in its place. */
  model: string
  profile: string
  /** Day and minute of the newest result, in UTC; empty where there is none. */
  date: string
}

export function headingOf(folder: string, recipe: Recipe): Heading {
  const text = (name: string) => (typeof recipe[name] === 'string' ? recipe[name] : '')
  const answers = text('answers')
  const isModel = answers === '' || answers === 'model'
  const model = isModel ? text('model') || 'a model' : answers
  // each result is a new file in this folder
  const changed = statSync(join(folder, 'results'), { throwIfNoEntry: false })?.mtime
  const date = changed ? `${changed.toISOString().replace('T', ' ').slice(0, 16)} UTC` : ''
  return { model, profile: profileText(text('profile'), text('decoding'), text('scorer')), date }
}

/** `strict`, and what differs from it. */
function profileText(profile: string, decoding: string, scorer: string): string {
  const others = [
    ...(decoding && decoding !== profile ? [`decoding ${decoding}`] : []),
    ...(scorer && scorer !== profile ? [`scorer ${scorer}`] : []),
  ]
  return [profile && `profile ${profile}`, ...others].filter(Boolean).join(', ')
}
