import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device/device.ts'
import { sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { Pass } from '../../kernels/layers/pass.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import { hiddenStates } from '../../kernels/networks/hidden-states.ts'
import { pack, type Sequence, visualTokensOf } from '../../kernels/networks/packing.ts'
import { featureShape, type LanguageModel, type TowerGrid } from '../../kernels/networks/shape.ts'
import { encodeFrames, forward, promptStates, type VideoModel } from '../../kernels/networks/video-model.ts'
import { patches } from '../../kernels/pixels/patches.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../operators/model/checkpoint/load-model.ts'
import type { ModelConfig } from '../../operators/model/checkpoint/model-config.ts'
import { timingOf } from '../../operators/model/moment-seconds.ts'
import { sftLoss } from '../../operators/sft/loss.ts'
import { renderPrompt, templates } from '../../operators/text/template.ts'
import { tokenize } from '../../operators/text/tokenize.ts'
import { frameResizer, pixelsOf } from '../../operators/video/frame-resizer.ts'
import { boundsOf } from './bounds.ts'
import { largest, near } from './checked.ts'
import { type Expected, openExpected } from './expected.ts'
import { differences, largestError, type Row, row } from './row.ts'

interface ExpectedJson {
  prompt: number[]
  ids: number[]
  labels: number[]
  loss: number
  greedy: number[]
  /** Of models whose positions depend on time. */
  momentSeconds?: number
}

/** Compares a folder of families.py with what we compute in float32, gradients of all three parts included. */
export async function checkFamily(folder: string, device: Device): Promise<Row[]> {
  const checkpoint = await openCheckpoint(folder)
  const json: ExpectedJson = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
  const expected = await openExpected(join(folder, 'expected.safetensors'))
  const model = await loadModel(device, checkpoint, ['connector', 'language', 'vision'])
  const { shape, weights, config } = model
  const timing = json.momentSeconds === undefined ? {} : { momentSeconds: json.momentSeconds }
  const bounds = boundsOf(shape, 'float32')
  const rows: Row[] = []
  const frames = device.tensor('frames', expected.shape('frames'), 'f32', await expected.read('frames'))
  const features = await encodeFrames(model, frames)
  rows.push(...(await checkVisual(expected, '', model, features)))
  const other = 'other.frames'
  if (expected.names(other).length > 0) {
    const more = device.tensor(other, expected.shape(other), 'f32', await expected.read(other))
    const found = await encodeFrames(model, more)
    rows.push(...(await checkVisual(expected, 'other.', model, found)))
    for (const tensor of [more, found]) device.freeTensor(tensor)
  }
  if (expected.names('positions').length > 0)
    rows.push(...(await checkLayers(expected, model, { ids: json.ids, features, ...timing })))

  const { logits } = await promptStates(model, { ids: json.prompt, features, ...timing })
  rows.push(await near(expected, 'prompt.logits', logits, bounds.logits))
  const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }
  const limits = { maxNewTokens: json.greedy.length, endIds: config.eosIds }
  const [[found]] = await generate(
    model,
    [{ ids: json.prompt, features, ...timing, seeds: [0] }],
    greedy,
    limits,
  )
  rows.push(row('greedy ids that differ', differences(found, json.greedy), 0))

  const pass = await forward(model, [{ ids: json.ids, labels: json.labels, pixels: frames, ...timing }], true)
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

/** The features of a clip, and the visual tokens that the connector makes of them. */
async function checkVisual(
  expected: Expected,
  prefix: string,
  { device, shape, weights, precision }: VideoModel,
  features: Tensor,
): Promise<Row[]> {
  const { vision, connector } = shape
  const bounds = boundsOf(shape, precision)
  const recording = new Recording(device, precision)
  const visual = connector.record(new Pass(recording, false), weights, features)
  recording.pinned.add(visual)
  const compiled = await compile(device, recording, 'connector')
  compiled.run()
  const [tokens, found] = [await compiled.read(visual), await device.read(features)]
  compiled.free()
  // Expected are the levels of a patch side by side; ours lie below each other, in each moment and in all visual tokens.
  const [moments, levels] = vision.grid ? features.shape : [1, 1]
  const [, columns] = expected.shape('vision.features')
  const patches = sideBySide(found, moments, levels, columns / levels)
  return [
    await near(expected, `${prefix}vision.features`, patches, bounds.vision),
    await near(
      expected,
      `${prefix}connector.out`,
      sideBySide(tokens, 1, levels, visual.shape[1]),
      bounds.connector,
    ),
  ]
}

/** Values (blocks, levels, rows, columns) as (blocks, rows, levels, columns). */
function sideBySide(values: Float32Array, blocks: number, levels: number, columns: number): Float32Array {
  const rows = values.length / (blocks * levels * columns)
  return values.map((_, i) => {
    const [column, level] = [i % columns, Math.floor(i / columns) % levels]
    const row = Math.floor(i / (columns * levels)) % rows
    const block = Math.floor(i / (columns * levels * rows))
    return values[((block * levels + level) * rows + row) * columns + column]
  })
}

/** The three positions of each token, and what goes into each layer of the language model. */
async function checkLayers(
  expected: Expected,
  { device, shape, weights, maxLength, precision }: VideoModel,
  sequence: Sequence,
): Promise<Row[]> {
  const sequences = [sequence]
  const packing = pack(sequences, visualTokensOf(shape), maxLength)
  const positions = [...packing.positions, ...packing.gridRows, ...packing.gridColumns]
  const wanted = Array.from(await expected.read('positions'))
  const recording = new Recording(device, precision)
  const states: Tensor[] = []
  const language: LanguageModel = {
    ...shape.language,
    record: (pass, weights, options) =>
      shape.language.record(pass, weights, {
        ...options,
        after(layer, x) {
          const y = options.after?.(layer, x) ?? x
          states.push(y)
          return y
        },
      }),
  }
  const model = { weights, shape: { ...shape, language } }
  const { embeddings } = hiddenStates(new Pass(recording, false), model, { sequences, packed: { packing } })
  const inputs = [embeddings, ...states.slice(0, -1)]
  for (const state of inputs) recording.pinned.add(state)
  const compiled = await compile(device, recording, 'layers')
  compiled.run()
  const rows = [row('positions that differ', differences(positions, wanted), 0)]
  const bounds = boundsOf(shape, precision)
  for (const [layer, state] of inputs.entries())
    rows.push(await near(expected, `language.${layer}.in`, await compiled.read(state), bounds.logits))
  compiled.free()
  return rows
}

/** Softmax ignores what all keys share: without rotations the bias of keys changes nothing. */
export const vanishes = (name: string): boolean => /^vision_tower\..*\.k_proj\.bias$/.test(name)

/** What a family's processor makes of a clip and a question about it. */
interface ProcessorJson {
  question: string
  text: string
  ids: number[]
  /** The token that stands for one visual token. */
  image: string
  seconds: number[]
  duration: number
  momentSeconds?: number
}

/** Compares the words, the ids and the pixel values with those of the family's processor. */
export async function checkProcessor(folder: string, device: Device): Promise<Row[]> {
  const { config, tokenizer, processor } = await openCheckpoint(folder)
  const clip = await openExpected(join(folder, 'processor.safetensors'))
  const [count, height, width] = clip.shape('frames')
  const bytes = Uint8Array.from(await clip.read('frames'))
  const { std, rescaleFactor } = processor
  const to = pixelsOf({ width, height }, count, processor)
  const pixels = device.tensor('pixels', [count, 3, to.height, to.width])
  const resizer = await frameResizer(device, { width, height }, to, processor)
  for (let i = 0; i < count; i++)
    resizer.add(bytes.subarray(i * width * height * 3, (i + 1) * width * height * 3), pixels, i)
  // Levels of 255: values are rounded to whole ones before they are normalised.
  const grid = config.vision.network.grid
  const found = grid ? await patchesOf(device, pixels, grid, clip.shape('pixels')) : await device.read(pixels)
  const wanted = await clip.read('pixels')
  // The numbers of a channel: of a patch in all frames of a moment, or of a frame.
  const channelSize = grid ? clip.shape('pixels')[1] / 3 : to.width * to.height
  const levelOf = (i: number) => std[Math.floor(i / channelSize) % 3] / rescaleFactor
  const levels = found.map((value, i) => Math.abs(value - wanted[i]) * levelOf(i))
  resizer.free()
  const rows = [row('pixels, levels of 255', largest(levels), 1 + 1e-3)]
  rows.push(
    row('pixels that differ by a level', levels.filter(level => level > 0.5).length / levels.length, 0.02),
  )
  const path = join(folder, 'processor.json')
  if (!existsSync(path)) return rows
  const json: ProcessorJson = JSON.parse(await readFile(path, 'utf8'))
  const about = { seconds: json.seconds, durationSeconds: json.duration }
  const text = renderPrompt(templates[config.template], `<image>\n${json.question}`, about)
  const each = visualTokensAt(config, count, pixels.shape)
  const { momentSeconds } = timingOf({ shape: { vision: config.vision.network } }, about)
  rows.push(
    row('seconds between moments', largestError([momentSeconds ?? 0], [json.momentSeconds ?? 0]), 1e-6),
  )
  rows.push(
    row('text that differs', text.replaceAll('<image>', json.image.repeat(each)) === json.text ? 0 : 1, 0),
  )
  const imageId = tokenizer.idOf(json.image)
  const ids = tokenize(tokenizer, text).flatMap(id => (id === -200 ? new Array(each).fill(imageId) : [id]))
  rows.push(row('ids that differ', differences(ids, json.ids), 0))
  return rows
}

/** Visual tokens in each place of a prompt. */
function visualTokensAt(
  { connector, vision: { network } }: ModelConfig,
  frames: number,
  pixels: readonly number[],
): number {
  const shape = featureShape(network, pixels)
  const { grid } = network
  const places = grid ? (grid.positionsPerSecond === undefined ? shape[0] : 1) : frames
  return connector.network.visualTokens(sizeOf(shape.slice(0, -1))) / places
}

/** Pixels as the patches (patches, numbers of a patch) that transformers' processor writes. */
async function patchesOf(
  device: Device,
  pixels: Tensor,
  { unit, step }: TowerGrid,
  [count, columns]: readonly number[],
): Promise<Float32Array> {
  const patch = Math.sqrt(columns / (3 * step))
  const out = device.tensor('patches', [count, columns])
  const recording = new Recording(device)
  patches(recording, { pixels, out, patch, step, square: unit / patch })
  const compiled = await compile(device, recording, 'patches')
  compiled.run()
  const found = await device.read(out)
  compiled.free()
  return found
}
