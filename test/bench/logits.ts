import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Device } from '../../kernels/device/device.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import { promptStates } from '../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../operators/model/checkpoint/load-model.ts'
import { writeNewCheckpoint } from '../../operators/model/checkpoint/new-checkpoint.ts'
import { repository } from '../fixtures.ts'
import type { BenchOptions } from './measure.ts'

const [promptTokens, newTokens] = [256, 64]

/**
 * Writes a random checkpoint and compares the logits of its language model with those of transformers in float32, after
 * a prompt and each of the tokens that transformers writes greedily. Yields lines; needs python3 with torch.
 */
export async function* logits(device: Device, { config, folder }: BenchOptions): AsyncGenerator<string> {
  const path = await mkdtemp(join(folder, 'flow-logits-'))
  try {
    const of = { config, tokenizer: 'builtin:tokenizer', seed: 1, dtype: 'bfloat16' } as const
    for await (const _ of writeNewCheckpoint(join(path, 'model'), of));
    const out = join(path, 'logits')
    const program = join(repository, 'test/bench/logits.py')
    const words = [program, join(path, 'model'), String(promptTokens), String(newTokens), out]
    const { stdout } = await promisify(execFile)('python3', words, { maxBuffer: 2 ** 24 })
    const { ids, tokens }: { ids: number[]; tokens: number[] } = JSON.parse(
      stdout.split('\n').find(line => line.startsWith('{')) ?? '',
    )
    const bytes = await readFile(out)
    const wanted = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    const checkpoint = await openCheckpoint(join(path, 'model'))
    for (const precision of device.gpu.features.has('shader-f16')
      ? (['float16', 'float32'] as const)
      : (['float32'] as const)) {
      const model = await loadModel(device, checkpoint, [], precision)
      const all = [...ids, ...tokens.slice(0, -1)]
      const { logits: rows } = await promptStates(model, { ids: all })
      const found = rows.subarray((ids.length - 1) * model.shape.language.vocabulary)
      const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }
      // A token that a prompt's likeliest never was in practice; a list must hold one.
      const limits = { maxNewTokens: newTokens, endIds: [model.shape.language.vocabulary - 1] }
      const [[written]] = await generate(model, [{ ids, seeds: [1] }], greedy, limits)
      model.weights.free()
      const error = relative(found, wanted)
      const chosen = likeliest(found, newTokens).filter((id, i) => id === tokens[i]).length
      const together = written.findIndex((id, i) => id !== tokens[i])
      yield [
        `logits in ${precision} (units ${device.units}) against transformers in float32 over ${newTokens} tokens after ${promptTokens}:`,
        `relative error ${error.toExponential(1)},`,
        `the same token is the likeliest in ${chosen} of ${newTokens} places,`,
        `tokens written greedily are the same up to ${together < 0 ? newTokens : together}`,
      ].join(' ')
    }
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

/** Length of the difference over the length of what is wanted. */
function relative(found: Float32Array, wanted: Float32Array): number {
  if (found.length !== wanted.length) throw new Error(`${found.length} logits, wanted ${wanted.length}`)
  let [difference, length] = [0, 0]
  for (let i = 0; i < wanted.length; i++) {
    difference += (found[i] - wanted[i]) ** 2
    length += wanted[i] ** 2
  }
  return Math.sqrt(difference / length)
}

function likeliest(rows: Float32Array, count: number): number[] {
  const width = rows.length / count
  return Array.from({ length: count }, (_, row) => {
    let best = 0
    for (let i = 1; i < width; i++) if (rows[row * width + i] > rows[row * width + best]) best = i
    return best
  })
}
