import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device/device.ts'
import { Pass } from '../../kernels/layers/pass.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import { encodeFrames, forward, promptStates } from '../../kernels/networks/video-model.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../operators/model/checkpoint/load-model.ts'
import { sftLoss } from '../../operators/sft/loss.ts'
import { boundsOf } from './bounds.ts'
import { largest, near } from './checked.ts'
import { openExpected } from './expected.ts'
import { differences, largestError, type Row, row } from './row.ts'

interface ExpectedJson {
  prompt: number[]
  ids: number[]
  labels: number[]
  loss: number
  greedy: number[]
}

/** Compares a folder of families.py with what we compute in float32, gradients of all three parts included. */
export async function checkFamily(folder: string, device: Device): Promise<Row[]> {
  const checkpoint = await openCheckpoint(folder)
  const json: ExpectedJson = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
  const expected = await openExpected(join(folder, 'expected.safetensors'))
  const model = await loadModel(device, checkpoint, ['connector', 'language', 'vision'])
  const { shape, weights, config } = model
  const bounds = boundsOf(shape, 'float32')
  const rows: Row[] = []
  const frames = device.tensor('frames', expected.shape('frames'), 'f32', await expected.read('frames'))
  const features = await encodeFrames(model, frames)
  rows.push(await near(expected, 'vision.features', await device.read(features), bounds.vision))

  const recording = new Recording(device)
  const visual = shape.connector.record(new Pass(recording, false), weights, features)
  recording.pinned.add(visual)
  const compiled = await compile(device, recording, 'connector')
  compiled.run()
  rows.push(await near(expected, 'connector.out', await compiled.read(visual), bounds.connector))
  compiled.free()

  const { logits } = await promptStates(model, { ids: json.prompt, features })
  rows.push(await near(expected, 'prompt.logits', logits, bounds.logits))
  const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }
  const limits = { maxNewTokens: json.greedy.length, endIds: config.eosIds }
  const [[found]] = await generate(model, [{ ids: json.prompt, features, seeds: [0] }], greedy, limits)
  rows.push(row('greedy ids that differ', differences(found, json.greedy), 0))

  const pass = await forward(model, [{ ids: json.ids, labels: json.labels, pixels: frames }], true)
  const { loss, dLogProbs } = sftLoss([pass.logProbs])
  pass.backward(Float32Array.from(dLogProbs[0]))
  pass.free()
  rows.push(row('sft.loss', largestError([loss], [json.loss]), 1e-5))
  for (const name of expected.names('sft.grad.')) {
    const own = config.names.own(name.slice('sft.grad.'.length))
    const gradient = weights.byName.get(own)?.gradient
    if (!gradient) rows.push(row(`${name}: not trained`, 1, 0))
    else if (vanishes(own)) {
      // Both are rounding: compared with the gradient of the weight beside the bias.
      const weight = await expected.read(name.replace(/bias$/, 'weight'))
      const both = [await device.read(gradient), await expected.read(name)]
      rows.push(row(`${name}, which is 0`, Math.max(...both.map(largest)) / largest(weight), 1e-5))
    } else rows.push(await near(expected, name, await device.read(gradient), bounds.gradients))
  }
  const trained = [...weights.byName.values()].filter(({ gradient }) => gradient).length
  const compared = expected.names('sft.grad.').length
  rows.push(row('trained weights that nothing is compared with', trained - compared, 0))
  device.freeTensor(features)
  weights.free()
  return rows
}

/** Softmax ignores what all keys share: without rotations the bias of keys changes nothing. */
const vanishes = (name: string): boolean => /^vision_tower\..*\.k_proj\.bias$/.test(name)
