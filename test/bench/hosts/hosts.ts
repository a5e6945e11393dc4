import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeEmbedded } from '../../../engine/cli/embedded.ts'
import { gpusIn, seatsOf } from '../../../engine/cli/gpus.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { listAdapters, placed } from '../../../kernels/device/adapters/list.ts'
import { resolvePath } from '../../../operators/builtin.ts'
import { operators, resources } from '../../../operators/index.ts'
import { repository } from '../../fixtures.ts'
import { startFlow } from '../flow-process.ts'
import { releasedConfig } from '../released.ts'
import {
  divided,
  evaluation,
  type HostJob,
  type Sizes,
  training,
  writePrompts,
  writeQuestions,
} from './jobs.ts'

/** Seconds after which a run hangs. */
const hangSeconds = 400

export interface HostsOptions {
  /** As `--gpus` of `flow run`: the first one and another. */
  readonly gpus: string
  /** Only what shows two processes on one GPU. */
  readonly one: boolean
  /** Jobs whose names hold one of these texts, e.g. evaluation,divided adapters; '' for all. */
  readonly only: string
  /** A `config.json`; '' for the embedded model on a software adapter, and for a model of 4 layers on a GPU. */
  readonly config: string
  readonly folder: string
  /** Updates of a training; 0 for what suits the adapter. */
  readonly steps: number
}

/** One run, as it was seen from outside. */
interface Seen {
  readonly rate: number
  readonly seconds: number
  readonly outcome: string
  /** What its copies of weights took. */
  readonly copies: string
}

/**
 * Does each job in one process on the first GPU, and then with workers on the GPUs that are named, and compares prompts a second and
 * results. Returns the number of jobs whose results differ.
 */
export async function* hosts(options: HostsOptions): AsyncGenerator<string, number> {
  const places = options.one ? ['0', '0'] : gpusIn(options.gpus)
  const [first = '0'] = places
  for (const seat of new Set(seatsOf(places).map(({ gpu }) => gpu))) yield seat
  const { software } = placed(first, listAdapters())
  mkdirSync(options.folder, { recursive: true })
  const folder = mkdtempSync(join(options.folder, 'flow-hosts-'))
  // the clips and questions of every job
  const registry = { operators, resources }
  await makeEmbedded(loadGraph(join(repository, 'graphs/grpo.json'), registry), registry, () => {})
  const sizes = await sizesOf(options, software, folder)
  let wrong = 0
  const data = { questions: join(folder, 'questions.jsonl'), prompts: join(folder, 'prompts.jsonl') }
  writeQuestions(data.questions)
  writePrompts(data.prompts)
  yield textOfSizes(sizes)
  for (const job of jobsOf(sizes, data, options)) {
    const alone = await seen(job, join(folder, 'alone'), ['--gpu', first])
    yield `${job.name}, one process on GPU ${first}: ${textOf(alone)}`
    const { gpus, words } = placesOf(job, places)
    const several = await seen(job, join(folder, 'several'), ['--gpu', first, ...words])
    const rates = `${textOf(several)}, ${(several.rate / alone.rate).toFixed(2)} ×`
    yield `${job.name}, home part on GPU ${first}, ${gpus}: ${rates}${several.copies}`
    let same = alone
    if (job.others === 'learners') {
      // sums of two learners are rounded in another order than those of one
      const { gpus, words } = placesOf(job, [first, first])
      same = await seen(job, join(folder, 'again'), ['--gpu', first, ...words])
      yield `${job.name}, ${gpus}: ${textOf(same)}, ${(same.rate / alone.rate).toFixed(2)} ×`
    }
    const isEqual = same.outcome === several.outcome
    if (!isEqual) wrong++
    yield `${job.name}: ${isEqual ? 'equal results' : `RESULTS DIFFER: ${same.outcome}, ${several.outcome}`}`
  }
  yield `${wrong} jobs have other results`
  rmSync(folder, { recursive: true, force: true })
  return wrong
}

function jobsOf(
  sizes: Sizes,
  { questions, prompts }: { questions: string; prompts: string },
  { one, only }: HostsOptions,
): HostJob[] {
  const ahead = one ? [1] : [0, 1]
  const trained = [rank, 0].flatMap(rank => [
    ...ahead.map(updates => training(sizes, prompts, updates, rank)),
    ...ahead.map(updates => divided(sizes, prompts, updates, rank)),
  ])
  return [evaluation(sizes, questions), ...trained].filter(({ name }) =>
    only.split(',').some(text => name.includes(text)),
  )
}

/** Where the other processes of a job are, in words and as flags of `flow run`. */
function placesOf({ others }: HostJob, places: readonly string[]): { gpus: string; words: string[] } {
  const all = places.join(',')
  const [last = '0'] = places.slice(-1)
  if (others === 'apart') return { gpus: `a worker on GPU ${last}`, words: ['--gpus', last] }
  if (others === 'workers') return { gpus: `workers on GPUs ${all}`, words: ['--gpus', all] }
  const words = ['--gpus', all, '--learners', String(places.length)]
  return { gpus: `learners and workers on GPUs ${all}`, words }
}

const textOfSizes = ({ frames, group, tokens, steps, groups, questions }: Sizes): string =>
  `evaluation: ${questions} questions; GRPO: ${steps} updates of ${groups} groups (divided: ${2 * groups}) of ${group} × ${tokens} tokens, ${frames} frames, adapters of rank ${rank}`

/** Of the adapters that are trained. */
const rank = 16

async function sizesOf({ config, steps }: HostsOptions, software: boolean, folder: string): Promise<Sizes> {
  const usual = software
    ? { frames: 2, group: 2, tokens: 12, steps: 4, groups: 2, questions: 12 }
    : { frames: 16, group: 8, tokens: 360, steps: 5, groups: 8, questions: 64 }
  const sizes = { ...usual, ...(steps > 0 && { steps }) }
  if (software && config === '') return { ...sizes, model: 'builtin:cold-start' }
  const file = config === '' ? moderate(folder) : config
  const model = join(folder, 'model')
  await startFlow(['new', 'checkpoint', '--config', file, '--out', model], join(folder, 'model.log')).ended
  return { ...sizes, model }
}

/** The released sizes with 4 layers in each tower and fewer tokens: writing its checkpoints takes seconds. */
function moderate(folder: string): string {
  const config = JSON.parse(readFileSync(resolvePath(releasedConfig), 'utf8'))
  config.vocab_size = config.text_config.vocab_size = 16_384
  config.pad_token_id = config.text_config.bos_token_id = config.text_config.eos_token_id = 0
  config.text_config.num_hidden_layers = config.vision_config.num_hidden_layers = 4
  const file = join(folder, 'config.json')
  writeFileSync(file, JSON.stringify(config))
  return file
}

/**
 * Runs a job, and measures its prompts a second from the first quarter of them, for what is before is start, to the last but one
 * time that some were done: completions for updates ahead are written by then.
 */
export async function seen(job: HostJob, place: string, words: readonly string[]): Promise<Seen> {
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  const begun = performance.now()
  const { child, ended } = startFlow([...job.words(place), ...words], join(place, 'log.txt'))
  const arrivals: { count: number; at: number }[] = []
  const late = setTimeout(() => child.kill('SIGKILL'), hangSeconds * 1000)
  for (let over = false; !over; ) {
    over = await Promise.race([ended.then(() => true), delay(20).then(() => false)])
    const count = job.done(place)
    if (count > (arrivals.at(-1)?.count ?? 0)) arrivals.push({ count, at: performance.now() })
  }
  clearTimeout(late)
  const total = arrivals.at(-1)?.count ?? 0
  const [from, to] = [arrivals.find(({ count }) => count >= total / 4), arrivals.at(-2)]
  if (!from || !to || from === to) throw new Error(`${job.name}: did nothing; ${place}/log.txt says why`)
  return {
    rate: (to.count - from.count) / ((to.at - from.at) / 1000),
    seconds: (performance.now() - begun) / 1000,
    outcome: job.outcome(place),
    copies: copiesOf(place),
  }
}

const textOf = ({ rate, seconds }: Seen): string =>
  `${rate.toPrecision(3)} prompts/s, ${seconds.toFixed(1)} s with its start`

/** What the logs of the home part and the workers say of versions of weights. */
function copiesOf(place: string): string {
  const home = messagesIn(join(place, 'run/log.jsonl'), /a copy of (\d+) bytes took ([\d.]+) s/)
  const taken = messagesIn(workerLog(place), /taking the version of .* took ([\d.]+) s/)
  if (home.length === 0) return ''
  const [bytes = 0] = home.map(([, bytes]) => Number(bytes)).slice(-1)
  const copied = median(home.map(([, , seconds]) => Number(seconds)))
  const read = median(taken.map(([, seconds]) => Number(seconds)))
  return `; ${home.length} versions of ${(bytes / 1e6).toFixed(1)} MB through ${place.startsWith('/dev/shm') ? 'shared memory' : 'files'}: ${copied.toFixed(2)} s to copy, ${read.toFixed(2)} s to take`
}

/** The log of the first worker: its folder has one folder for each start of the run. */
function workerLog(place: string): string {
  const folder = join(place, 'run/workers/1')
  const [start = ''] = existsSync(folder) ? readdirSync(folder).filter(name => name !== 'output.txt') : []
  return join(folder, start, 'log.jsonl')
}

function messagesIn(path: string, pattern: RegExp): RegExpExecArray[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap(line => {
      const found = pattern.exec(line)
      return found ? [found] : []
    })
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
