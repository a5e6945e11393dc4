import type { VideoModel } from '../video-model.ts'
import {
  blockSize,
  type Completion,
  type GenerateOptions,
  noToken,
  type PromptRequest,
  truncateAtEnd,
} from './batch-writer.ts'
import { openSlots, promptLength, roomFor, type Slots } from './slots.ts'
import type { Sampling } from './token-drawing.ts'

/** The completions of a prompt, with what is known about their making. */
export interface CompletionGroup {
  completions: Completion[]
  /** Of the weights that wrote it. */
  version: number
  /** Its share of the time: that from its prefill until its last token was seen, divided by the slots. */
  seconds: number
}

export interface RefillOptions extends Pick<GenerateOptions, 'maxNewTokens' | 'endIds' | 'signal' | 'stop'> {
  /** Prompts at once. */
  slots: number
  /** Completions of every prompt. */
  count: number
}

/** A model whose weights may change between groups. */
type ChangingModel = VideoModel & { readonly version: number }

interface WaitingPrompt {
  request: PromptRequest
  length: number
  resolve(group: CompletionGroup): void
  reject(error: unknown): void
}

interface RunningPrompt extends WaitingPrompt {
  since: number
  /** Tokens drawn of each sequence. */
  written: number
}

/** What was to be read after a block, and of whom. */
interface Snapshot {
  read: Promise<readonly [history: Int32Array, chances: Float32Array | undefined]>
  running: readonly (RunningPrompt | undefined)[]
  written: readonly number[]
}

/**
 * Writes completions as `write` does, of many prompts at once: when all completions of a prompt have ended, the prompt
 * that waits longest takes its place while the others go on. The GPU never waits for a read-back: an end is seen a block
 * late. A group is written by one version of the weights: once they change, nobody is seated until all have ended. Memory
 * is taken while somebody is seated. An error of one prompt's prefill is its own; others, and an abort, end all.
 */
export function slotWriter(
  model: ChangingModel,
  sampling: Sampling,
  options: RefillOptions,
): (request: PromptRequest) => Promise<CompletionGroup> {
  const waiting: WaitingPrompt[] = []
  let longest = 0
  let isAtWork = false
  const work = async (): Promise<void> => {
    if (isAtWork) return
    isAtWork = true
    while (waiting.length > 0)
      await runSlots(model, sampling, { ...options, room: roomFor(longest) }, waiting)
    isAtWork = false
  }
  return request =>
    new Promise<CompletionGroup>((resolve, reject) => {
      if (request.seeds.length !== options.count)
        throw new Error(`seeds: must be ${options.count} of a prompt, got ${request.seeds.length}`)
      const length = promptLength(model, request)
      longest = Math.max(longest, length)
      waiting.push({ request, length, resolve, reject })
      void work()
    })
}

/** Opens slots, and serves those who wait until nobody is seated any more. */
async function runSlots(
  model: ChangingModel,
  sampling: Sampling,
  options: RefillOptions & { room: number },
  waiting: WaitingPrompt[],
): Promise<void> {
  const { count, room, maxNewTokens: capacity, endIds, signal } = options
  const { version } = model
  const seats: (RunningPrompt | undefined)[] = Array.from({ length: options.slots }, () => undefined)
  const isSeated = () => seats.some(seat => seat)
  // Who waits for the last answer may close the device then: it is given when nothing is under way any more.
  const answers: (() => void)[] = []
  let slots: Slots | undefined
  let before: Snapshot | undefined
  try {
    const sizes = { slots: options.slots, count, room, capacity }
    slots = await openSlots(model, sizes, sampling, endIds[0] ?? noToken)
    for (;;) {
      signal?.throwIfAborted()
      if (model.version === version) answers.push(...(await admitWaiting(slots, seats, waiting)))
      if (!isSeated()) break
      slots.step(blockSize)
      const now = takeSnapshot(slots, seats, sampling.greedy, capacity)
      if (before) answers.push(...freeEnded(await before.read, before, seats, options, version))
      before = now
      if (isSeated() || waiting.length > 0) for (const answer of answers.splice(0)) answer()
    }
    await before?.read
  } catch (error) {
    for (const job of [...seats, ...waiting.splice(0)]) if (job) answers.push(() => job.reject(error))
  } finally {
    slots?.free()
    for (const answer of answers) answer()
  }
}

/** Seats those who wait, in their order, where there is a place that is large enough. Returns the refusals. */
async function admitWaiting(
  slots: Slots,
  seats: (RunningPrompt | undefined)[],
  waiting: WaitingPrompt[],
): Promise<(() => void)[]> {
  const refusals: (() => void)[] = []
  for (let place = seats.indexOf(undefined); place >= 0; place = seats.indexOf(undefined)) {
    if (waiting.length === 0 || waiting[0].length > slots.room) break
    const [job] = waiting.splice(0, 1)
    const since = performance.now()
    try {
      await slots.admit(place, job.request)
      seats[place] = { ...job, since, written: 1 }
    } catch (error) {
      refusals.push(() => job.reject(error))
    }
  }
  return refusals
}

/** Starts to read what was written by a block that was just begun. */
function takeSnapshot(
  slots: Slots,
  seats: readonly (RunningPrompt | undefined)[],
  greedy: boolean,
  capacity: number,
): Snapshot {
  for (const seat of seats) if (seat) seat.written = Math.min(seat.written + blockSize, capacity)
  const read = Promise.all([slots.readHistory(), greedy ? undefined : slots.readChances()])
  read.catch(() => {}) // whoever awaits it later gets the error
  return { read, running: [...seats], written: seats.map(seat => seat?.written ?? 0) }
}

/** Frees the seats of those who had ended by then. Returns their answers. */
function freeEnded(
  [history, chances]: Awaited<Snapshot['read']>,
  look: Snapshot,
  seats: (RunningPrompt | undefined)[],
  options: RefillOptions,
  version: number,
): (() => void)[] {
  const { count, maxNewTokens: capacity } = options
  const answers: (() => void)[] = []
  for (const [place, job] of look.running.entries()) {
    if (!job || seats[place] !== job) continue
    const written = look.written[place]
    const rows = Array.from({ length: count }, (_, i) => (place * count + i) * capacity)
    const endings = rows.map(at => truncateAtEnd(history.subarray(at, at + written), options))
    if (written < capacity && !endings.every(({ finished }) => finished)) continue
    const completions = endings.map((row, i): Completion => {
      const own = chances?.subarray(rows[i], rows[i] + row.ids.length)
      return own ? { ...row, logProbs: Array.from(own, Math.log) } : row
    })
    const seconds = (performance.now() - job.since) / 1000 / options.slots
    seats[place] = undefined
    answers.push(() => job.resolve({ completions, version, seconds }))
  }
  return answers
}
