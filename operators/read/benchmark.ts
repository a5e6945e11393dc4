import { statSync } from 'node:fs'
import type { Context, Inspection, Outlines, SourceItem, Streams } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import { type FailureOutcome, isNumeric, type Question } from '../question.ts'
import { goldDigest, questionDigest } from '../question-digests.ts'
import { thinkThenAnswer } from '../text/prompt.ts'
import type { Benchmark, Finding, Headline, ListedQuestion, Unions } from './benchmark-kinds.ts'
import { clipFaults } from './inspect-samples.ts'
import { listed } from './listed.ts'
import { type Located, locate } from './packed.ts'
import { ReadError } from './read-error.ts'
import { type Selection, selected, selectionFields } from './selection.ts'
import { type BrokenClips, unaskableQuestions } from './unaskable-questions.ts'

/** A benchmark as read from its folder. */
export interface ReadBenchmark {
  name: string
  headline: Headline
  unions?: Unions
  questions: readonly Question[]
  excluded: readonly { id: string; reason: string }[]
  /** Faults that the reader sees in the files; `findingsOf` adds those that the questions show. */
  findings: readonly Finding[]
  /** What its rows are most likely not meant to be, for people. */
  warnings?: readonly string[]
}

/** Config that all readers of benchmarks share. */
export const benchmarkFields = {
  path: { type: 'string', reads: 'data', description: 'Folder of the benchmark, as it is downloaded.' },
  instruction: {
    type: 'string',
    default: '',
    description: 'Last line of each question: how to answer; empty for that of the profile.',
  },
  profile: {
    type: 'string',
    enum: ['published', 'strict', 'base'],
    default: 'strict',
    description:
      'How questions are worded. published and strict: a thought and an answer in tags are asked for. base: the words of the base system, TinyLLaVA-Video, which ask for a letter. strict: time bounds are obeyed, too.',
  },
  shard: { type: 'string', default: '1/1', description: 'Part i/N of the clips, from 1/N to N/N.' },
  ...selectionFields,
} as const

export type Profile = 'published' | 'strict' | 'base'

/** How the reader of a benchmark words its questions. */
export interface Wording {
  readonly instruction: string
  readonly profile: Profile
}

interface ReaderConfig extends Wording, Selection {
  readonly path: string
  readonly shard: string
}

const instructions: Readonly<Record<Profile, string>> = {
  published: thinkThenAnswer,
  strict: thinkThenAnswer,
  base: "Answer with the option's letter from the given choices directly.",
}

const thinkThenSay =
  'Output the thinking process in <think> </think> and final answer in <answer> </answer> tags.'

const openInstructions: Readonly<Record<Profile, string>> = {
  published: thinkThenSay,
  strict: thinkThenSay,
  base: 'Answer the question directly without explanation.',
}

/** `base`: VSI-Bench's own. */
const numberInstructions: Readonly<Record<Profile, string>> = {
  published: thinkThenSay,
  strict: thinkThenSay,
  base: 'Please answer the question using a single word or phrase.',
}

/** Wording with its instructions: the stated one, or those of the profile. */
export interface Worded extends Wording {
  /** For questions that are answered in one's own words. */
  readonly openInstruction: string
  /** For questions that are answered by a number. */
  readonly numberInstruction: string
  /** For captions and summaries; empty where nothing but the question is asked. */
  readonly captionInstruction: string
}

export const worded = <Settings extends Wording>(settings: Settings): Settings & Worded => ({
  ...settings,
  instruction: settings.instruction || instructions[settings.profile],
  openInstruction: settings.instruction || openInstructions[settings.profile],
  numberInstruction: settings.instruction || numberInstructions[settings.profile],
  captionInstruction: settings.instruction || (settings.profile === 'strict' ? thinkThenSay : ''),
})

/** The streams of a reader: the questions of its shard, clip by clip, and one item that describes the whole benchmark. */
export function benchmarkStreams<Settings extends ReaderConfig>(
  context: Context,
  config: Settings,
  read: (settings: Settings & Worded) => Promise<ReadBenchmark>,
): Streams {
  let started: Promise<LocatedBenchmark> | undefined
  const whole = (): Promise<LocatedBenchmark> => {
    started ??= read(worded(config)).then(async benchmark => {
      refuseDoubles(benchmark)
      const asked = await selected(benchmark.questions, config)
      const located = await locate(resolvePath(config.path), asked)
      for (const line of [...(benchmark.warnings ?? []), ...located.warnings]) context.log(line, 'warn')
      return { ...benchmark, ...located }
    })
    return started
  }
  return {
    samples: context.source<Question>(async function* () {
      const { questions, packed } = await whole()
      const clips = clipsOfShard(questions, config.shard)
      // the others are answered before the run may fail for clips that are not there
      const isMissing = ([video]: (typeof clips)[number]) =>
        !packed.has(video) && stateOf(video) === 'missing-clip'
      const ordered = [...clips.filter(clip => !isMissing(clip)), ...clips.filter(isMissing)]
      for (const [, asked] of ordered)
        for (const value of asked) yield { key: value.fields.id, value: solved(value) }
    }),
    benchmark: context.source<Benchmark>(async function* (): AsyncGenerator<SourceItem<Benchmark>> {
      const { questions, findings, packed, warnings: _, ...rest } = await whole()
      const found = [...findings, ...findingsOf(questions, packed)]
      for (const line of summarise(questions.length, found)) context.log(line)
      const listed = questions.map(listedQuestion)
      const value = { ...rest, questions: listed, findings: found, ...parseShard(config.shard) }
      yield { key: rest.name, value }
    }),
  }
}

/** The question with its true answer as the solution, which rewards compare answers with. */
function solved(question: Question): Question {
  const { answer } = question.fields
  return answer === null ? question : { ...question, solution: answer }
}

type LocatedBenchmark = ReadBenchmark & Located

function listedQuestion(question: Question): ListedQuestion {
  const { id, clip } = question.fields
  return { id, clip, question: questionDigest(question), gold: goldDigest(question) }
}

/** What `flow check` and the look before a run say of the questions that a run would ask. */
export async function inspectBenchmark<
  Settings extends Wording & Partial<Selection> & { readonly path: string; readonly shard?: string },
>(
  settings: Settings,
  read: (settings: Settings & Worded) => Promise<ReadBenchmark>,
  { isBrief, name = '', parts = [] }: Pick<Outlines, 'isBrief' | 'name' | 'parts'> = {},
): Inspection {
  const { questions: all, findings, warnings: ofRows = [] } = await read(worded(settings))
  const asked = await selected(all, { ...everyQuestion, ...settings })
  const { questions, packed, warnings } = await locate(resolvePath(settings.path), asked)
  const ofShard = clipsOfShard(questions, settings.shard ?? '1/1').flatMap(([, list]) => list)
  const unpacked = ofShard.filter(({ video }) => !packed.has(video))
  const broken = await brokenClips(unpacked, settings.profile, isBrief)
  const unaskable = unaskableQuestions(ofShard, broken, name, parts)
  if (isBrief) return unaskable
  const found = [...findings, ...findingsOf(questions, packed)]
  return [...summarise(questions.length, found), ...ofRows, ...warnings, ...unaskable]
}

/** The clips that are broken, as far as their files show it; a brief look asks only whether they are there and hold anything. */
async function brokenClips(
  questions: readonly Question[],
  profile: Profile,
  isBrief = false,
): Promise<BrokenClips> {
  const broken = new Map<string, FailureOutcome>()
  for (const video of new Set(questions.map(one => one.video))) {
    const state = stateOf(video)
    if (state) broken.set(video, state === 'missing-clip' ? 'clip-missing' : 'clip-damaged')
  }
  if (isBrief) return broken
  const rest = questions.filter(({ video }) => !broken.has(video))
  const { faults } = await clipFaults(rest.map(value => ({ key: value.fields.id, value })))
  // the other profiles ask about what is left of a clip
  for (const [video, { code }] of faults)
    if (code === 'undecodable-clip' || profile === 'strict') broken.set(video, 'clip-damaged')
  return broken
}

const everyQuestion: Selection = { ids: [], sample: 0, sampleSeed: 0, taskLimit: 0, limit: 0 }

/** Each clip of a shard, and its questions. */
function clipsOfShard(questions: readonly Question[], text: string): [string, Question[]][] {
  const { shard, shards } = parseShard(text)
  return [...byClip(questions)].filter((_, i) => i % shards === shard - 1)
}

/** `i/N` with 1 ≤ i ≤ N. */
export function parseShard(text: string): { shard: number; shards: number } {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  const [shard, shards] = [Number(i), Number(n)]
  if (shard >= 1 && shard <= shards) return { shard, shards }
  throw new ReadError('bad-shard', `shard: must be i/N with i from 1 to N, found "${text}"`)
}

/** Every fault that the questions show without decoding anything; clips at the paths `packed` lie in archives. */
export function findingsOf(
  questions: readonly Question[],
  packed: ReadonlySet<string> = new Set(),
): Finding[] {
  const findings: Finding[] = []
  const ids = new Set<string>()
  const asked = new Map<string, string>()
  const clips = new Map<string, Finding['code'] | undefined>()
  for (const { video, question, fields } of questions) {
    const { id, answer, options, letters } = fields
    const add = (code: Finding['code'], about = id) => findings.push({ code, about })
    if (!clips.has(video)) clips.set(video, packed.has(video) ? undefined : stateOf(video))
    const state = clips.get(video)
    if (state) add(state, `${id} (${video})`)
    if (letters.length < 2 && !isNumeric(fields) && !fields.open)
      add('unwinnable', `${id} (${letters.length} options)`)
    else if (answer === null) add('unwinnable')
    if (new Set(options).size < options.length) add('repeated-option')
    if (ids.has(id)) add('duplicate-id')
    ids.add(id)
    const same = asked.get(`${video}\n${question}`)
    if (same !== undefined) add('duplicate-question', `${id} (as ${same})`)
    else asked.set(`${video}\n${question}`, id)
  }
  return findings
}

/** A line with the number of questions and one for each kind of finding, with its count and the first of them. */
export function summarise(count: number, findings: readonly Finding[]): string[] {
  const codes = [...new Set(findings.map(finding => finding.code))]
  const lines = codes.map(code => {
    const about = findings.filter(finding => finding.code === code).map(finding => finding.about)
    const meaning = code === 'unwinnable' ? ` (${unwinnable})` : ''
    return `${about.length} ${code}${meaning}: ${listed(about)}`
  })
  return [`${count} questions`, ...lines]
}

const unwinnable = 'no right answer to compare with: whatever the model answers counts as wrong'

function stateOf(path: string): Finding['code'] | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return 'missing-clip'
  return found.isFile() && found.size === 0 ? 'empty-clip' : undefined
}

/** Questions by clip, in the order in which the clips first occur: those of one clip are asked together. */
export function byClip(questions: readonly Question[]): Map<string, Question[]> {
  const clips = new Map<string, Question[]>()
  for (const question of questions) {
    const list = clips.get(question.video)
    if (list) list.push(question)
    else clips.set(question.video, [question])
  }
  return clips
}

function refuseDoubles({ questions, name }: ReadBenchmark): void {
  const seen = new Set<string>()
  for (const { fields } of questions) {
    if (seen.has(fields.id))
      throw new ReadError('duplicate-id', `${name}: two questions have the id ${fields.id}`)
    seen.add(fields.id)
  }
}
