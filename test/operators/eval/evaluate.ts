import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadGraph } from '../../../engine/graph/check.ts'
import { startRun } from '../../../engine/run/run.ts'
import type { RunEvent, RunSummary } from '../../../engine/run/summary.ts'
import type { Result } from '../../../operators/eval/results/result.ts'
import type { Summary } from '../../../operators/eval/results/summary.ts'
import { operators, resources } from '../../../operators/index.ts'
import { fixture, repository } from '../../fixtures.ts'

/** Folders of the small benchmarks by the names of their graphs. */
export const folders = {
  'video-mme': 'Video-MME',
  mvbench: 'MVBench',
  mlvu: 'MLVU',
  mmvu: 'MMVU',
  longvideobench: 'LongVideoBench',
} as const

export type Name = keyof typeof folders

export const dataOf = (name: Name): string => join(fixture('benchmarks'), folders[name])

/** What the small benchmarks say about themselves. */
export interface Truth {
  id: string
  benchmark: string
  type: string
  answer: string | null
  options: number
  broken: string | null
}

export const truths = (name: Name): Truth[] => {
  // a fixture: its shape is what the test was written for
  const manifest = JSON.parse(readFileSync(join(fixture('benchmarks'), 'MANIFEST.json'), 'utf8')) as {
    questions: Truth[]
  }
  return manifest.questions.filter(({ benchmark }) => benchmark === folders[name])
}

/** Writes a file of several questions about each of some clips, which are copies of one; returns its path. */
export function writeQuestions(folder: string, clips: readonly string[], each: number): string {
  mkdirSync(join(folder, 'videos'))
  const clip = join(dataOf('mvbench'), 'video/clevrer/video_validation/video_90001.mp4')
  for (const name of clips) copyFileSync(clip, join(folder, 'videos', name))
  const options = ['left', 'right', 'up', 'down']
  const rows = clips.flatMap(video =>
    Array.from({ length: each }, (_, i) => {
      return { video, question: `Where does shape ${i} move?`, options, answer: 'A' }
    }),
  )
  const file = join(folder, 'rows.jsonl')
  writeFileSync(file, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  return file
}

export interface Evaluated {
  run: RunSummary
  results: Result[]
  summary: Summary
}

/** Runs an evaluation graph with settings as `--set` takes them, and reads what it left in `out`. */
export async function evaluate(graph: string, out: string, set: readonly string[]): Promise<Evaluated> {
  const run = await startEvaluation(graph, out, set).done
  if (run.error) throw run.error
  return { run, ...stored(out) }
}

export function startEvaluation(
  graph: string,
  out: string,
  set: readonly string[],
  { seed = 0, onEvent }: { seed?: number; onEvent?: (event: RunEvent) => void } = {},
) {
  const file = join(repository, `graphs/eval/${graph}.json`)
  const plan = loadGraph(file, { operators, resources }, { set: [...set, `out=${out}`] })
  return startRun(plan, {
    seed,
    directory: `${out}-run-${process.hrtime.bigint()}`,
    ...(onEvent && { onEvent }),
  })
}

export function stored(out: string): { results: Result[]; summary: Summary } {
  const lines = readFileSync(join(out, 'results.jsonl'), 'utf8').split('\n').filter(Boolean)
  // both files were written by the evaluation
  const results = lines.map(line => JSON.parse(line) as Result)
  return { results, summary: JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Summary }
}
