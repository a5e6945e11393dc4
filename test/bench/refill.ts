import type { Device } from '../../kernels/device/device.ts'
import { type PromptRequest, writeCompletions } from '../../kernels/networks/generation/batch-writer.ts'
import { slotWriter } from '../../kernels/networks/generation/slot-writer.ts'
import type { BenchOptions, Measurement } from './measure.ts'
import { randomModel, tokens } from './released.ts'

const sampling = { greedy: false, temperature: 1, topK: 50, topP: 1 }
const [fewest, most] = [20, 200]

/** Where an answer ends: made up of its first tokens, so that answers are 20 to 200 tokens long however they are batched. */
function stop(ids: readonly number[]): number | undefined {
  if (ids.length < 3) return undefined
  const length = fewest + ((ids[0] * 7919 + ids[1] * 104729 + ids[2]) % (most - fewest + 1))
  return ids.length >= length ? length : undefined
}

/**
 * An evaluation: one answer to each of 24 prompts, of 600 tokens where there are matrix units and 60 elsewhere; one by
 * one, in lists as batches and in slots that are refilled.
 */
export async function* refill(device: Device, { rounds, config }: BenchOptions): AsyncGenerator<Measurement> {
  const model = Object.assign(await randomModel(device, 'none', config), { version: 0 })
  const { vocabulary } = model.shape.language
  const requests = Array.from({ length: 24 }, (_, i): PromptRequest => {
    const length = (device.units === 'none' ? 40 : 580) + ((i * 13) % 40)
    return { ids: tokens(length, i + 1).map(id => id % vocabulary), seeds: [i] }
  })
  const limits = { maxNewTokens: most, endIds: [], stop }
  const inBatches = (size: number) => async () => {
    const rows: number[][] = []
    for (let i = 0; i < requests.length; i += size)
      rows.push(
        ...(await writeCompletions(model, requests.slice(i, i + size), sampling, limits)).map(
          ([{ ids }]) => ids,
        ),
      )
    return rows
  }
  const inSlots = (slots: number) => async () => {
    const one = slotWriter(model, sampling, { ...limits, slots, count: 1 })
    return (await Promise.all(requests.map(one))).map(({ completions: [{ ids }] }) => ids)
  }
  const ways = {
    'one by one': inBatches(1),
    '4 slots': inSlots(4),
    '8 slots': inSlots(8),
    'batches of 8': inBatches(8),
  }
  let alone: number[][] | undefined
  let slowest = 0
  for (const [name, way] of Object.entries(ways)) {
    const answers = await way()
    alone ??= answers
    const alike = answers.filter((ids, i) => ids.join() === alone?.[i].join()).length
    const written = answers.reduce((sum, ids) => sum + ids.length, 0)
    const seconds: number[] = []
    while (seconds.length < rounds) {
      const started = performance.now()
      await way()
      seconds.push((performance.now() - started) / 1000)
    }
    slowest ||= Math.min(...seconds)
    const times = (slowest / Math.min(...seconds)).toFixed(2)
    console.log(`  ${name}: ${times} times as fast, ${alike} of ${answers.length} answers the same`)
    yield { name: `${written} tokens of ${requests.length} answers, ${name}`, seconds, tokens: written }
  }
  model.weights.free()
}
