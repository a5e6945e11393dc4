import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type t from 'tap'
import type { Sample } from '../../../operators/kinds.ts'
import { runFfmpeg } from '../../../operators/video/ffmpeg.ts'

/** A folder for the clips of one test file, removed at its end. */
export async function clipFolder(test: typeof t): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flow-clips-'))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Runs ffmpeg with these arguments, separated by single spaces; `@` is replaced by the folder. */
export async function make(folder: string, recipe: string): Promise<void> {
  const args = recipe.split(' ').map(arg => arg.replaceAll('@', `${folder}/`))
  const run = runFfmpeg(['-y', ...args], { subject: recipe, deadlineSeconds: 60 })
  let step = await run.next()
  while (!step.done) step = await run.next()
  if (step.value.exitCode !== 0) throw new Error(`${recipe}: ${step.value.log}`)
}

/** A source whose frame n is grey, of level 20 + 3n: a frame says which one it is. */
export const numbered = (size: string, rate: number, frames: number): string =>
  `-f lavfi -i color=c=black:s=${size}:r=${rate},format=gray,geq=lum=20+3*N,trim=end_frame=${frames}`

/** The number of a frame of a `numbered` clip, from its mean level. */
export function numberOf(frame: Uint8Array): number {
  const mean = frame.reduce((sum, byte) => sum + byte, 0) / frame.length
  return Math.round((mean - 20) / 3)
}

export const sampleOf = (video: string, fields: Sample['fields'] = {}): Sample => ({
  video,
  question: '',
  fields,
})

export const openOptions = { deadlineSeconds: 20, folderFramesPerSecond: 3 }
