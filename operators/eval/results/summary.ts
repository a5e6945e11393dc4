import { isFailure, type Outcome, outcomes } from '../../question.ts'
import type { Benchmark, Headline, Unions } from '../../read/benchmark-kinds.ts'
import { videoMme } from '../official-scorers.ts'
import { type Grades, gradesIn } from './grades.ts'
import { noOrigin, type Origin, type Provenance, provenanceOf } from './origin.ts'
import { repeatsOf } from './recipe-fields.ts'
import { byQuestion, type Repeats, repeatsIn } from './repeats.ts'
import type { Result } from './result.ts'
import { clusteredMean, type Estimate } from './statistics.ts'
import type { Recipe, Timing } from './store.ts'

/** Everything that a report says, as data: `report.json`. */
export interface Summary {
  /** Why the score should not be trusted: too many failures. */
  trouble?: string
  benchmark: string
  headline: Headline
  recipe: Recipe
  provenance: Provenance
  shard: string
  /** Questions that this folder should hold, those that it holds, and ids of the first that it lacks. */
  expected: number
  done: number
  missing: readonly string[]
  excluded: readonly { reason: string; count: number }[]
  findings: readonly { code: string; count: number }[]
  outcomes: Readonly<Record<Outcome, number>>
  /** Letters drawn at random because the output could not be read; they are among right and wrong. */
  drawn: number
  /** Questions that no letter can answer; they count as wrong. */
  unwinnable: number
  /** Unparsed, truncated and drawn, among all that were answered. */
  unparsedRate: number
  /** By the benchmark's average and the others; failures count as wrong in all but those that name the questions they count. */
  scores: readonly Score[]
  /** Where a judge gives marks. */
  grades?: Grades
  /** Where each question was answered several times. */
  repeats?: Repeats
  tables: readonly Table[]
  speed: Speed
}

export interface Score extends Estimate {
  name: string
  /** Expected of guessing: the mean of 1 / options, averaged in the same way. */
  chance: number
}

export interface Table {
  name: string
  rows: readonly (Score & { right: number })[]
}

export interface Speed {
  /** Mean seconds of a clip in each stage, over the clips that passed it. */
  secondsPerClip: Readonly<Record<'decode' | 'encode' | 'generate', number | null>>
  tokens: number
  tokensPerSecond: number | null
  clips: number
}

export function summarise(
  benchmark: Benchmark,
  recipe: Recipe,
  results: readonly Result[],
  timings: readonly Timing[],
  origin: Origin = noOrigin,
): Summary {
  const { name, headline, unions = {}, shard, shards } = benchmark
  const expected = idsOfShard(benchmark)
  const answers = repeatsOf(recipe)
  const byId = new Map<string, number>()
  for (const { id } of results) byId.set(id, (byId.get(id) ?? 0) + 1)
  const missing = expected.filter(id => (byId.get(id) ?? 0) < answers)
  const unread = results.filter(({ outcome, drawn }) => drawn || isUnread(outcome)).length
  const answered = results.filter(({ outcome }) => !isFailure(outcome))
  const groups = [...new Set(results.flatMap(({ groups }) => Object.keys(groups)))]
  const averages: Headline[] = ['micro', 'tasks', ...groups.map(group => `groups.${group}` as const)]
  const score = (average: Headline) => scoreOf(average, results, average, unions)
  const grades = gradesIn(results)
  const first = averages.filter(average => average === headline)
  return {
    benchmark: name,
    headline,
    recipe,
    provenance: provenanceOf(recipe, origin),
    shard: `${shard}/${shards}`,
    expected: expected.length,
    done: expected.length - missing.length,
    missing: missing.slice(0, 20),
    excluded: tally(benchmark.excluded.map(({ reason }) => reason)).map(([reason, count]) => ({
      reason,
      count,
    })),
    findings: tally(benchmark.findings.map(({ code }) => code)).map(([code, count]) => ({ code, count })),
    // every outcome is a key
    outcomes: Object.fromEntries(
      outcomes.map(outcome => [outcome, results.filter(result => result.outcome === outcome).length]),
    ) as Record<Outcome, number>,
    drawn: results.filter(({ drawn }) => drawn).length,
    unwinnable: results.filter(({ answer }) => answer === null).length,
    unparsedRate: answered.length === 0 ? 0 : unread / answered.length,
    scores: [
      ...[...first, ...averages.filter(average => average !== headline)].map(score),
      scoreOf('winnable questions only', results.filter(isWinnable), 'micro'),
      scoreOf('answered questions only', results.filter(isParsed), 'micro'),
      ...(name === 'video-mme' ? [officialVideoMme(results)] : []),
    ],
    ...(grades && { grades }),
    ...(answers > 1 && { repeats: repeatsIn(results, answers) }),
    tables: averages.slice(1).map(average => tableOf(average, results, unions)),
    speed: speedOf(timings, results),
  }
}

/** The questions of a shard: every n-th clip, as readers divide them. */
export function idsOfShard({ questions, shard, shards }: Benchmark): string[] {
  const clips = new Map<string, number>()
  for (const { clip } of questions) if (!clips.has(clip)) clips.set(clip, clips.size)
  return questions.filter(({ clip }) => (clips.get(clip) ?? 0) % shards === shard - 1).map(({ id }) => id)
}

/** Nobody can win a question whose true answer is no option, or whose clip is not there to be seen. */
const isWinnable = ({ answer, outcome }: Result): boolean =>
  answer !== null && outcome !== 'clip-missing' && outcome !== 'clip-damaged'

/** A letter was read from the output. */
const isParsed = ({ outcome, drawn }: Result): boolean =>
  (outcome === 'right' || outcome === 'wrong') && !drawn

/** Its own script reads the outputs by its own rule, and counts only those in which it finds a letter. */
function officialVideoMme(results: readonly Result[]): Score {
  const read = results.flatMap((result): Result[] => {
    const parsed = result.output === null ? undefined : videoMme(result.output, result.letters)
    if (!parsed || !('letter' in parsed)) return []
    return [{ ...result, outcome: parsed.letter === result.answer ? 'right' : 'wrong' }]
  })
  return scoreOf('official Video-MME: answered questions by its own rule', read, 'micro')
}

const isUnread = (outcome: Outcome): boolean => outcome === 'unparsed' || outcome === 'truncated'

/** The repeats of a question are one observation: their mean. */
function scoreOf(name: string, results: readonly Result[], average: Headline, unions: Unions = {}): Score {
  const questions = byQuestion(results)
  const observe = (value: (result: Result) => number) =>
    questions.flatMap(answers => {
      const mean = answers.reduce((sum, one) => sum + value(one), 0) / answers.length
      return answers
        .slice(0, 1)
        .flatMap(result =>
          strataOf(result, average).map(stratum => ({ value: mean, cluster: result.clip, stratum })),
        )
    })
  const estimate = clusteredMean(
    observe(({ outcome, credit }) => credit ?? (outcome === 'right' ? 1 : 0)),
    'share',
    unionIn(unions, average),
  )
  const chance = clusteredMean(
    observe(({ letters }) => (letters.length > 0 ? 1 / letters.length : 0)),
    'difference',
    unionIn(unions, average),
  ).mean
  return { name, ...estimate, observations: questions.length, chance }
}

function tableOf(average: Headline, results: readonly Result[], unions: Unions): Table {
  const names = [...new Set(results.flatMap(result => strataOf(result, average)))]
  const isTasks = average === 'tasks'
  const rowOf = (name: string, members: readonly string[]) => {
    const inRow = results.filter(result => strataOf(result, average).some(one => members.includes(one)))
    return {
      ...scoreOf(name, inRow, members.length > 1 ? average : 'micro'),
      right: inRow.filter(({ outcome }) => outcome === 'right').length,
    }
  }
  const joined = Object.entries(isTasks ? unions : {}).filter(([, members]) =>
    members.some(member => names.includes(member)),
  )
  return {
    name: isTasks ? 'task' : average.slice('groups.'.length),
    rows: [
      ...names.map(name => rowOf(name, [name])),
      ...joined.map(([name, members]) => rowOf(name, members)),
    ],
  }
}

/** The name under which a part counts in an average. */
export function unionIn(unions: Unions, average: Headline): (part: string) => string {
  const names = new Map(
    Object.entries(average === 'tasks' ? unions : {}).flatMap(([name, parts]) =>
      parts.map((part): [string, string] => [part, name]),
    ),
  )
  return part => names.get(part) ?? part
}

/** The parts that a question counts in; a question of LVBench may have several tasks. */
export function strataOf(
  { tasks, groups }: Pick<Result, 'tasks' | 'groups'>,
  average: Headline,
): readonly string[] {
  if (average === 'micro') return ['']
  if (average === 'tasks') return tasks
  return [groups[average.slice('groups.'.length)] ?? 'none']
}

function speedOf(timings: readonly Timing[], results: readonly Result[]): Speed {
  const perClip = (stage: 'decode' | 'encode' | 'generate') => {
    const timed = timings.filter(timing => timing[stage] !== undefined)
    const clips = new Set(timed.map(({ clip }) => clip)).size
    return clips === 0 ? null : timed.reduce((sum, timing) => sum + (timing[stage] ?? 0), 0) / clips
  }
  const tokens = timings.reduce((sum, timing) => sum + timing.tokens, 0)
  const generating = timings.reduce((sum, timing) => sum + (timing.generate ?? 0), 0)
  return {
    secondsPerClip: { decode: perClip('decode'), encode: perClip('encode'), generate: perClip('generate') },
    tokens,
    tokensPerSecond: generating > 0 ? tokens / generating : null,
    clips: new Set(results.map(({ clip }) => clip)).size,
  }
}

function tally(values: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts]
}
