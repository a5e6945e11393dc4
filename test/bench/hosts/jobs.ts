import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { resolvePath } from '../../../operators/builtin.ts'

/** Work that is done on one GPU and on several, and that must come to the same. */
export interface HostJob {
  readonly name: string
  readonly words: (place: string) => readonly string[]
  /** What the others do: workers on each GPU, one worker on the last GPU, or learners and workers on each. */
  readonly others: 'workers' | 'apart' | 'learners'
  /** Prompts that are done so far. */
  done(place: string): number
  /** Digest of what it computed. */
  outcome(place: string): string
}

export interface Sizes {
  readonly model: string
  readonly frames: number
  readonly group: number
  readonly tokens: number
  /** Updates of a training. */
  readonly steps: number
  /** Groups in an update of one learner. */
  readonly groups: number
  readonly questions: number
}

const settings = (set: readonly string[]): string[] => set.flatMap(one => ['--set', one])

const source = () => resolvePath('builtin:few-questions/train.jsonl')

/** Writes the embedded questions in the columns that graphs/eval/own.json reads. */
export function writeQuestions(path: string): void {
  const rows = readFileSync(source(), 'utf8').trim().split('\n')
  const lines = rows.map(row => {
    const { video_filename, problem, solution } = JSON.parse(row)
    const [question = '', ...options] = String(problem).split(/\n(?:Options:\n)?[A-D]\. /)
    const [a, b, c, d] = options
    const answer = /[A-D]/.exec(solution)?.[0]
    return JSON.stringify({ video: video_filename, question, a, b, c, d, answer })
  })
  writeFileSync(path, `${lines.join('\n')}\n`)
}

/**
 * Writes the embedded clips with one question for all: recordings of a length are made once, as in a long run, where they have
 * been made.
 */
export function writePrompts(path: string): void {
  const rows = readFileSync(source(), 'utf8').trim().split('\n')
  const { problem, solution } = JSON.parse(rows[0] ?? '')
  const lines = rows.map(row => JSON.stringify({ ...JSON.parse(row), problem, solution }))
  writeFileSync(path, `${lines.join('\n')}\n`)
}

/** Questions of the embedded data, answered one by one. */
export const evaluation = ({ model, frames, tokens, questions }: Sizes, data: string): HostJob => ({
  name: 'evaluation',
  others: 'workers',
  words: place => [
    'run',
    'graphs/eval/own.json',
    '--out',
    join(place, 'run'),
    ...settings([
      `model=${model}`,
      `data=${data}`,
      `frames=${frames}`,
      `maxNewTokens=${tokens}`,
      `limit=${questions}`,
      'batch=1',
      `root=${dirname(source())}`,
      `out=${join(place, 'results')}`,
    ]),
  ],
  done: place => filesOf(join(place, 'results/results')),
  outcome: place => digest([join(place, 'results/results.jsonl')]),
})

/**
 * GRPO whose completions are written elsewhere. `rank`: of an adapter that is trained, 0 for all weights. `ahead`: updates that
 * completions may be ahead of the weights.
 */
export const training = (sizes: Sizes, data: string, ahead: number, rank: number): HostJob => ({
  name: `GRPO ${trained(rank)} ${ahead} ahead`,
  others: 'apart',
  ...grpo(sizes, data, { ahead, rank, groups: sizes.groups }),
})

/** GRPO by two learners, each with as many groups of an update as one alone has in `training`. */
export const divided = (sizes: Sizes, data: string, ahead: number, rank: number): HostJob => {
  const groups = 2 * sizes.groups
  return {
    name: `divided ${trained(rank)} ${ahead} ahead`,
    others: 'learners',
    ...grpo(sizes, data, { ahead, rank, groups }),
  }
}

const trained = (rank: number) => (rank > 0 ? 'adapters' : 'weights')

/** graphs/presets/published.json: a process completes as many prompts together as a learner has groups of an update. */
function grpo(
  { model, frames, group, tokens, steps, groups: slots }: Sizes,
  data: string,
  { ahead, rank, groups }: { ahead: number; rank: number; groups: number },
): Pick<HostJob, 'words' | 'done' | 'outcome'> {
  const set = [
    `model=${model}`,
    `data=${data}`,
    `root=${dirname(source())}`,
    `frames=${frames}`,
    `group=${group}`,
    `maxNewTokens=${tokens}`,
    `steps=${steps}`,
    `groupsPerUpdate=${groups}`,
    `slots=${slots}`,
    `lag=${(ahead + 1) * groups - 1}`,
    `lora=${rank}`,
    'patience=0',
    'checkpoint.every=0',
    'featureBytes=0',
    'nodes.frames.config.sheetWidth=0',
  ]
  return {
    words: place => [
      'run',
      'graphs/presets/published.json',
      '--seed',
      '1',
      '--out',
      join(place, 'run'),
      ...settings(set),
    ],
    done: place => linesOf(join(place, 'run/metrics.jsonl')) * groups,
    outcome: place => digest(weightsIn(join(place, 'run/checkpoints/last'))),
  }
}

const linesOf = (path: string): number =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0

const filesOf = (folder: string): number => (existsSync(folder) ? readdirSync(folder).length : 0)

const weightsIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.safetensors'))
    .sort()
    .map(name => join(folder, name))

function digest(paths: readonly string[]): string {
  const hash = createHash('sha256')
  const piece = Buffer.alloc(2 ** 24)
  for (const path of paths) {
    const file = openSync(path, 'r')
    for (let bytes = readSync(file, piece); bytes > 0; bytes = readSync(file, piece))
      hash.update(piece.subarray(0, bytes))
    closeSync(file)
  }
  return paths.length > 0 ? hash.digest('hex').slice(0, 16) : 'nothing'
}
