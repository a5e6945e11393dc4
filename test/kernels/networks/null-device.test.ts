import { readFileSync } from 'node:fs'
import t from 'tap'
import { Pass } from '../../../kernels/layers/pass.ts'
import { recordGeneration } from '../../../kernels/networks/generation/batch-writer.ts'
import { devicelessModel } from '../../../kernels/networks/memory-estimate.ts'
import { imagePlaceholderId, packFor } from '../../../kernels/networks/packing.ts'
import { recordTower } from '../../../kernels/networks/tower-features.ts'
import { recordForward } from '../../../kernels/networks/video-model.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { resolvePath } from '../../../operators/builtin.ts'
import { parseModelConfig } from '../../../operators/model/checkpoint/config.ts'
import { shapeOf } from '../../../operators/model/checkpoint/load-model.ts'
import { expectedTensors } from '../../../operators/model/checkpoint/tensor-names.ts'
import { complaints, nullDevice, unitsTarget } from '../null-device.ts'

// The released widths with one layer each: kernels differ by widths, not by depth.
const json = JSON.parse(readFileSync(resolvePath('builtin:configurations/released.json'), 'utf8'))
json.text_config.num_hidden_layers = 1
json.num_resampler_layers = 1
json.vision_feature_layer = 1
const config = parseModelConfig('released.json', json, { eosId: 151643, idOf: () => undefined })
const shape = shapeOf(config)
const model = devicelessModel({
  shape,
  weights: expectedTensors(config),
  trained: name => !name.startsWith('vision_tower.'),
  precision: 'float16',
  maxLength: 3072,
  frameWords: 0,
})
const gpu = await nullDevice()
t.teardown(() => gpu.destroy())

// A tensor outside the recording's memory; its contents are never read here.
const outside = (label: string, extents: number[]) => {
  return { label, shape: extents, type: 'f32' as const, storage: { buffer: {} as GPUBuffer, offsetBytes: 0 } }
}

await t.test('training at the released widths is valid WGSL for a GPU with matrix units', async t => {
  const features = outside('features', [2 * shape.vision.frameTokens, shape.vision.hidden])
  const completions = [new Array(40).fill(1), new Array(33).fill(2)]
  const sequence = { ids: [1, imagePlaceholderId, 2], features, completions }
  const found = await complaints(gpu, recording => {
    const sequences = [sequence]
    const packed = packFor({ ...model, device: recording.target }, sequences)
    recordForward(recording, model, { sequences, packed, training: true, temperature: 1 })
  })
  t.same(found, [])
})

await t.test('encoding at the released widths is valid WGSL for a GPU with matrix units', async t => {
  const { channels, imageSize, hidden } = shape.vision
  const pixels = outside('pixels', [2, channels, imageSize, imageSize])
  const found = await complaints(gpu, recording => {
    recording.saturated = model.weights.lossScale?.forwardCuts
    const features = outside('features', [2 * shape.vision.frameTokens, hidden])
    recordTower(new Pass(recording, false), model.weights, shape.vision, pixels, features)
  })
  t.same(found, [])
})

await t.test(
  'a block of a frozen vision tower is four products, and none of its activations is a dispatch of its own',
  t => {
    const { channels, imageSize, hidden } = shape.vision
    const recording = new Recording(unitsTarget, 'float16')
    const features = outside('features', [shape.vision.frameTokens, hidden])
    const pixels = outside('pixels', [1, channels, imageSize, imageSize])
    recordTower(new Pass(recording, false), model.weights, shape.vision, pixels, features)
    const names = kernelsOf(recording)
    t.equal(names.filter(name => name.startsWith('matmul')).length, 1 + 4 * shape.vision.blocks)
    t.notOk(names.some(name => name.includes('gelu') && !name.startsWith('matmul')))
    t.end()
  },
)

await t.test('the gate of a feed-forward half is a dispatch of its own only where gradients flow', t => {
  const apart = (training: boolean, trained: boolean) => {
    const options = { shape, weights: expectedTensors(config), maxLength: 3072, frameWords: 0 } as const
    const model = devicelessModel({ ...options, trained: () => trained, precision: 'float16' })
    const recording = new Recording(unitsTarget, 'float16')
    const sequences = [{ ids: [1, 2, 3], completions: [[4]] }]
    const packed = packFor({ ...model, device: recording.target }, sequences)
    recordForward(recording, model, { sequences, packed, training, temperature: 1 })
    return kernelsOf(recording).filter(name => name === 'silu_multiply').length
  }
  t.equal(apart(true, true), shape.language.layers)
  t.equal(apart(true, false), 0)
  t.equal(apart(false, true), 0)
  t.end()
})

await t.test('an adapter at the released widths is valid WGSL for a GPU with matrix units', async t => {
  const weights = expectedTensors(config)
  const targets = [...weights.keys()].filter(name => /layers\.0\..*_proj\.weight$/.test(name))
  const adapter = { targets, rank: 16, scale: 2, trained: true }
  const options = {
    shape,
    weights,
    trained: () => false,
    precision: 'float16',
    maxLength: 3072,
    frameWords: 0,
  } as const
  const adapted = devicelessModel({ ...options, adapter })
  const ids = [1, 2, 3]
  const found = await complaints(gpu, recording => {
    const sequences = [{ ids, completions: [[4], [5, 6]] }]
    const packed = packFor({ ...adapted, device: recording.target }, sequences)
    recordForward(recording, adapted, { sequences, packed, training: true, temperature: 1 })
    const sampling = { greedy: false, temperature: 1, topK: 50, topP: 1 }
    const requests = [{ ids, seeds: [1, 2] }]
    const prompts = packFor({ ...adapted, device: recording.target }, requests)
    recordGeneration(recording, adapted, { requests, packed: prompts, sampling, capacity: 4, endId: 0 })
  })
  t.same(found, [])
})

/** Names of a recording's kernels, in order. */
function kernelsOf(recording: Recording): string[] {
  return recording.segments.flatMap(({ commands }) =>
    commands.flatMap(command => ('dispatch' in command ? [command.dispatch.kernel.name] : [])),
  )
}
