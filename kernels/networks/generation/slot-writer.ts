import type { VideoModel } from '../video-model.ts'
import {
  blockSize,
  type Completion,
  type GenerateOptions,
  noToken,
  type PromptRequest,
  truncateAtEnd,
  withLogProbs,
} from './batch-writer.ts'
import type { PromptExtent } from './plain-steps.ts'
import { openSlots, promptExtent, roomFor, type SlotSizes, type Slots } from './slots.ts'
import type { Sampling } from './token-drawing.ts'

/** The completions of a prompt. */
export interface CompletionGroup {
  completions: Completion[]
  /** Version of the weights that wrote them. */
  version: number
  /** Its share of the time: the time from the start of its prefill until its end was seen, divided by the slots. */
  seconds: number
}

export interface RefillOptions extends Pick<GenerateOptions, 'maxNewTokens' | 'endIds' | 'signal' | 'stop'> {
  /** Prompts that are continued at the same time. */
  slots: number
  /** Completions of a prompt. */
  count: number
}

/** A model whose weights may change between groups. */
type ChangingModel = VideoModel & { readonly version: number }

interface WaitingPrompt {
  request: PromptRequest
  extent: PromptExtent
  resolve(group: CompletionGroup): void
  reject(error: unknown): void
}

/** A prompt in a slot. */
interface RunningPrompt extends WaitingPrompt {
  /** When its prefill began, in milliseconds. */
  since: number
  /** Tokens drawn for each of its completions. */
  drawn: number
}

/** By slot; undefined where it is empty. */
type RunningPrompts = (RunningPrompt | undefined)[]

/** The state after a block: a read of the tokens that is still in flight, and the prompts whose tokens they are. */
interface Snapshot {
  read: Promise<readonly [history: Int32Array, chances: Float32Array | undefined]>
  running: Readonly<RunningPrompts>
  /** By slot: tokens drawn for each completion. */
  drawn: readonly number[]
}

/**
 * Returns a function that writes the completions of one prompt as `writeCompletions` does, of many prompts at the same time:
 * when all completions of a prompt have ended, the prompt that has waited longest takes its slot, and the others continue. The
 * GPU never waits for a read-back, so an end is seen one block late. A group is written by one version of the weights: after
 * they change, no prompt is admitted until all running ones have ended. GPU memory is taken only while a prompt runs. An
 * error in one prompt's prefill rejects that prompt; any other error, and an abort, rejects all.
 */
export function slotWriter(
  model: ChangingModel,
  sampling: Sampling,
  options: RefillOptions,
): (request: PromptRequest) => Promise<CompletionGroup> {
  const waiting: WaitingPrompt[] = []
  const longest = { length: 0, next: 0 }
  let isRunning = false
  const run = async (): Promise<void> => {
    if (isRunning) return
    isRunning = true
    while (waiting.length > 0)
      await runSlots(
        model,
        sampling,
        { ...options, room: roomFor(longest.length), positions: roomFor(longest.next) },
        waiting,
      )
    isRunning = false
  }
  return request =>
    new Promise<CompletionGroup>((resolve, reject) => {
      if (request.seeds.length !== options.count)
        throw new Error(`seeds: must be ${options.count} of a prompt, got ${request.seeds.length}`)
      const extent = promptExtent(model, request)
      longest.length = Math.max(longest.length, extent.length)
      longest.next = Math.max(longest.next, extent.next)
      waiting.push({ request, extent, resolve, reject })
      void run()
    })
}

/** Opens slots, and admits waiting prompts until none runs any more. */
async function runSlots(
  model: ChangingModel,
  sampling: Sampling,
  options: RefillOptions & Pick<SlotSizes, 'room' | 'positions'>,
  waiting: WaitingPrompt[],
): Promise<void> {
  const { count, room, positions, maxNewTokens: capacity, endIds, signal } = options
  const { version } = model
  const running: RunningPrompts = Array.from({ length: options.slots }, () => undefined)
  const isAnyRunning = () => running.some(prompt => prompt)
  // After the last answer its receiver may close the device, so that answer is given when the device has no work left.
  const answers: (() => void)[] = []
  let slots: Slots | undefined
  let previous: Snapshot | undefined
  try {
    const sizes = { slots: options.slots, count, room, positions, capacity }
    slots = await openSlots(model, sizes, sampling, endIds[0] ?? noToken)
    for (;;) {
      signal?.throwIfAborted()
      await model.device.turn()
      if (model.version === version) answers.push(...(await admitWaiting(slots, running, waiting)))
      if (!isAnyRunning()) break
      slots.step(blockSize)
      const snapshot = takeSnapshot(slots, running, sampling.greedy, capacity)
      if (previous) answers.push(...freeEnded(await previous.read, previous, running, options, version))
      previous = snapshot
      if (isAnyRunning() || waiting.length > 0) for (const answer of answers.splice(0)) answer()
    }
    await previous?.read
  } catch (error) {
    for (const prompt of [...running, ...waiting.splice(0)])
      if (prompt) answers.push(() => prompt.reject(error))
  } finally {
    slots?.free()
    for (const answer of answers) answer()
  }
}

/** Admits waiting prompts, in order, as long as a slot is empty and large enough. Returns the rejections. */
async function admitWaiting(
  slots: Slots,
  running: RunningPrompts,
  waiting: WaitingPrompt[],
): Promise<(() => void)[]> {
  const rejections: (() => void)[] = []
  for (let slot = running.indexOf(undefined); slot >= 0; slot = running.indexOf(undefined)) {
    const [first] = waiting
    if (!first || first.extent.length > slots.room || first.extent.next > slots.positions) break
    const [prompt] = waiting.splice(0, 1)
    const since = performance.now()
    try {
      await slots.admit(slot, prompt.request)
      running[slot] = { ...prompt, since, drawn: 1 }
    } catch (error) {
      rejections.push(() => prompt.reject(error))
    }
  }
  return rejections
}

/** Starts to read the tokens up to the end of the block that was just submitted. */
function takeSnapshot(slots: Slots, running: RunningPrompts, greedy: boolean, capacity: number): Snapshot {
  for (const prompt of running) if (prompt) prompt.drawn = Math.min(prompt.drawn + blockSize, capacity)
  const read = Promise.all([slots.readHistory(), greedy ? undefined : slots.readChances()])
  read.catch(() => {}) // the error reaches the caller that awaits the read later
  return { read, running: [...running], drawn: running.map(prompt => prompt?.drawn ?? 0) }
}

/** Frees the slots whose completions had all ended at the snapshot. Returns the answers. */
function freeEnded(
  [history, chances]: Awaited<Snapshot['read']>,
  snapshot: Snapshot,
  running: RunningPrompts,
  options: RefillOptions,
  version: number,
): (() => void)[] {
  const { count, maxNewTokens: capacity } = options
  const answers: (() => void)[] = []
  for (const [slot, prompt] of snapshot.running.entries()) {
    if (!prompt || running[slot] !== prompt) continue
    const drawn = snapshot.drawn[slot]
    const starts = Array.from({ length: count }, (_, i) => (slot * count + i) * capacity)
    const rows = starts.map(at => truncateAtEnd(history.subarray(at, at + drawn), options))
    if (drawn < capacity && !rows.every(({ finished }) => finished)) continue
    const completions = rows.map((row, i) =>
      withLogProbs(row, chances?.subarray(starts[i], starts[i] + row.ids.length)),
    )
    const seconds = (performance.now() - prompt.since) / 1000 / options.slots
    running[slot] = undefined
    answers.push(() => prompt.resolve({ completions, version, seconds }))
  }
  return answers
}
