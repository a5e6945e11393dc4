import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Device } from '../../kernels/device/device.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../operators/model/checkpoint/load-model.ts'
import { writeNewCheckpoint } from '../../operators/model/checkpoint/new-checkpoint.ts'
import { type BenchOptions, type Measurement, measure } from './measure.ts'

/** Loading a checkpoint that was just written, so that the system still holds it, and the writing itself, once. */
export async function* load(
  device: Device,
  { rounds, config, folder = tmpdir() }: BenchOptions,
): AsyncGenerator<Measurement> {
  const path = await mkdtemp(join(folder, 'flow-load-'))
  try {
    const started = performance.now()
    const of = { config, tokenizer: 'builtin:tokenizer', seed: 1, dtype: 'bfloat16' } as const
    let bytes = 0
    for await (const file of writeNewCheckpoint(path, of)) bytes += file.bytes
    const seconds = [(performance.now() - started) / 1000]
    yield { name: 'new checkpoint', seconds, bytes, residentBytes: largestResident() }
    const precisions = device.gpu.features.has('shader-f16')
      ? (['float16', 'float32'] as const)
      : (['float32'] as const)
    for (const precision of precisions)
      yield {
        name: `load as ${precision}`,
        bytes,
        // Two that do not count come first: 7 GB at a time, that is enough to know the spread.
        seconds: await measure(Math.min(rounds, 5), async () => {
          const model = await loadModel(device, await openCheckpoint(path), [], precision)
          model.weights.free()
        }),
        residentBytes: largestResident(),
      }
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

/** Most memory that the process ever held; Linux counts it in KiB. */
const largestResident = (): number => process.resourceUsage().maxRSS * 1024
