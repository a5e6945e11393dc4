import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { outcomeOf } from '../../engine/over/outcome.ts'
import { fixture } from '../../fixtures.ts'

/** A run of many processes, and what it must come to. */
export interface Job {
  readonly name: string
  readonly graph: string
  /** Settings of a run whose files are in this folder. */
  set(folder: string): readonly string[]
  /** It goes on from a checkpoint of its run folder; otherwise a new run goes on with what the last one has written. */
  readonly resumes: boolean
  /** What a finished run in this folder computed, without its times. */
  outcome(folder: string): unknown
}

const evaluation: Job = {
  name: 'evaluation',
  resumes: false,
  graph: 'graphs/eval/mvbench.json',
  set: folder => [
    `data=${join(fixture('benchmarks'), 'MVBench')}`,
    'model=builtin:cold-start',
    'frames=2',
    'maxNewTokens=12',
    'batch=1',
    `out=${join(folder, 'results')}`,
  ],
  outcome: folder => {
    const path = join(folder, 'results/results.jsonl')
    return existsSync(path) ? readFileSync(path, 'utf8') : 'no results'
  },
}

const training = (lag: number): Job => ({
  name: `GRPO with maxLag ${lag}`,
  resumes: true,
  graph: 'graphs/grpo.json',
  set: () => [
    'steps=16',
    'group=4',
    'frames=2',
    'maxNewTokens=16',
    'checkpointEvery=4',
    'nodes.frames.config.sheetWidth=0',
    `nodes.groups.from.weights.maxLag=${lag}`,
  ],
  outcome: folder => outcomeOf(join(folder, 'run')),
})

/** The words that begin a job in the folder `place`; its run is in `name` there. */
export function beginning(job: Job, place: string, name = 'run'): string[] {
  const set = job.set(place).flatMap(one => ['--set', one])
  return ['run', job.graph, '--out', join(place, name), '--seed', '1', ...set]
}

export const jobs: readonly Job[] = [evaluation, training(0), training(1), training(4)]
