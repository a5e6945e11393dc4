import { type Device, openDevice } from '../../kernels/device/device.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import { imagePlaceholderId } from '../../kernels/networks/packing.ts'
import { encodeFrames, type VideoModel } from '../../kernels/networks/video-model.ts'
import { freeIdleRecordings } from '../../kernels/plan/reuse.ts'
import { noise } from '../kernels/support.ts'
import { decodeSteps } from './decode.ts'
import type { BenchOptions, Measurement } from './measure.ts'
import { randomModel, tokens } from './released.ts'
import { step } from './step.ts'

const [frames, questionTokens, answerTokens] = [16, 256, 256]

/**
 * A frozen model as floats, and as integers of 8 and 4 bits: one answer about 16 frames, with the most memory that it ever
 * held; steps of 1, 8 and 64 sequences; then a GRPO step that trains adapters on it and computes its blocks again. Each on a
 * device of its own, whose memory is counted from nothing.
 */
export async function* integers(_: Device, options: BenchOptions): AsyncGenerator<Measurement> {
  const all = ['stored', 'int8', 'int4'] as const
  for (const weights of options.only === '' ? all : all.filter(one => one === options.only)) {
    const frozen = { weights, groupSize: 128 }
    const device = await openDevice()
    const model = await randomModel(device, 'none', options.config, frozen)
    console.log(`weights ${weights}: ${(device.liveBytes / 1e9).toFixed(2)} GB`)
    yield* answers(model, weights)
    yield* decodeSteps(model, `weights ${weights}`, { rounds: options.rounds, isProfiled: options.profile })
    freeIdleRecordings(device, model.weights)
    model.weights.free()
    device.close()
    // A software adapter's attention keeps its scores, which are too large for this step.
    if (device.units === 'none') continue
    const trainer = await openDevice()
    for await (const one of step(trainer, { ...options, lora: true, recompute: 'full' }, frozen))
      yield { ...one, name: `${one.name}, weights ${weights}` }
    trainer.close()
  }
}

/** Answers, the first of which compiles kernels. */
async function* answers(model: VideoModel, weights: string): AsyncGenerator<Measurement> {
  const { device, shape } = model
  const { imageSize, channels } = shape.vision
  const { vocabulary } = shape.language
  const size = [frames, channels, imageSize, imageSize]
  const pixels = device.tensor('pixels', size, 'f32', noise(size.reduce((a, b) => a * b)))
  const ids = tokens(questionTokens, 1).map(id => id % (vocabulary - 1))
  ids[10] = imagePlaceholderId
  const seconds: number[] = []
  for (let round = -1; round < 3; round++) {
    const started = performance.now()
    const features = await encodeFrames(model, pixels)
    const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }
    const limits = { maxNewTokens: answerTokens, endIds: [] }
    await generate(model, [{ ids, features, seeds: [1] }], greedy, limits)
    device.freeTensor(features)
    if (round >= 0) seconds.push((performance.now() - started) / 1000)
  }
  device.freeTensor(pixels)
  const name = `an answer of ${answerTokens} tokens about ${frames} frames, weights ${weights}`
  yield { name, seconds, tokens: answerTokens, peakBytes: device.peakBytes }
}
