// `flow/testing` for parts of models: whether a tower, connector or language model keeps the contract of part.ts.
import { messageOf } from '../../../engine/shared/errors.ts'
import { isObject, readJsonObject } from '../../../engine/shared/json.ts'
import { type Device, openDevice } from '../../../kernels/device/device.ts'
import { sizeOf, type Tensor } from '../../../kernels/device/tensor.ts'
import { devicelessModel, passBytes, visionBytes } from '../../../kernels/networks/memory-estimate.ts'
import { allocateParameters, type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import { forward, recordVision } from '../../../kernels/networks/video-model.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { resolvePath } from '../../builtin.ts'
import { randomOf } from '../../random.ts'
import { parseModelConfig } from '../checkpoint/config.ts'
import { shapeOf } from '../checkpoint/load-model.ts'
import type { ModelConfig } from '../checkpoint/model-config.ts'
import { expectedTensors } from '../checkpoint/tensor-names.ts'
import { towerDigest } from '../tower-digest.ts'
import { connectors, languages, towers } from './index.ts'
import type { ConnectorKind, LanguageKind, Part, TowerKind } from './part.ts'

/** What a plugin exports as `parts`. */
export interface PartsToTest {
  towers?: Readonly<Record<string, TowerKind>>
  connectors?: Readonly<Record<string, ConnectorKind>>
  languages?: Readonly<Record<string, LanguageKind>>
}

export interface PartTestOptions {
  /** Keys of `config.json` to have in place of those of `builtin:configurations/small.json`. */
  config?: Readonly<Record<string, unknown>>
}

/**
 * Puts each part into a small model of random weights and returns a sentence for each fault: a configuration that it does not
 * read, names or shapes of tensors that do not fit, a weight that no kernel reads, an output of another shape than its sizes say,
 * a gradient that is not that of finite differences, features that are kept under a name which says too little.
 */
export async function partFaultsOf(
  parts: PartsToTest,
  { config = {} }: PartTestOptions = {},
): Promise<string[]> {
  const faults: string[] = []
  for (const { table, key, role } of tables)
    for (const [name, kind] of Object.entries(parts[role.table] ?? {})) {
      const earlier = table.get(name)
      table.set(name, kind as never) // the kinds of a table and of its list are the same
      try {
        for (const fault of await faultsOfPart({ ...smallConfig(config), [key]: name }, role))
          faults.push(`${name}: ${fault}`)
      } finally {
        if (earlier) table.set(name, earlier as never)
        else table.delete(name)
      }
    }
  return faults
}

const roles = [
  { table: 'towers', field: 'vision', prefix: 'vision_tower.' },
  { table: 'connectors', field: 'connector', prefix: 'connector.' },
  { table: 'languages', field: 'language', prefix: 'language_model.' },
] as const
type Role = (typeof roles)[number]

const [towerRole, connectorRole, languageRole] = roles
const tables = [
  { table: towers, key: 'vision_model_name_or_path', role: towerRole },
  { table: connectors, key: 'connector_type', role: connectorRole },
  { table: languages, key: 'llm_model_name_or_path', role: languageRole },
] as const

/** A small model whose tower and language model may be of any kind. */
function smallConfig(changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const small = readJsonObject(resolvePath('builtin:configurations/small.json'))
  const config: Record<string, unknown> = { ...small }
  for (const key of ['text_config', 'vision_config']) {
    const { model_type: _, ...fields } = isObject(small[key]) ? small[key] : {}
    config[key] = fields
  }
  for (const [key, value] of Object.entries(changes))
    config[key] = isObject(value) && isObject(config[key]) ? { ...config[key], ...value } : value
  return config
}

async function faultsOfPart(json: Readonly<Record<string, unknown>>, role: Role): Promise<string[]> {
  let config: ModelConfig
  try {
    config = parseModelConfig('config.json', json, { eosId: 0, idOf: () => undefined })
  } catch (error) {
    return [`must read its configuration: ${messageOf(error)}`]
  }
  const part: Part<unknown> = config[role.field]
  const named = faultsOfNames(part, config, role.prefix)
  if (named.length > 0) return named
  const recorded = faultsOfRecording(config, role)
  if (recorded.length > 0) return recorded
  const device = await openDevice()
  try {
    return [
      ...(role.table === 'towers' ? faultsOfKeptFeatures(device, config) : []),
      ...(await faultsOfGradients(device, config, [...part.tensors.keys()])),
    ]
  } finally {
    device.close()
  }
}

function faultsOfNames({ tensors, stored, isUnused }: Part<unknown>, { names }: ModelConfig, prefix: string) {
  const faults: string[] = []
  for (const [name, shape] of tensors) {
    const there = names.own(names.stored(name))
    if (!name.startsWith(prefix)) faults.push(`tensor ${name} must begin with ${prefix}`)
    if (there !== name) faults.push(`tensor ${name} must come back from the name in files, found ${there}`)
    if (`${stored.get(name)}` !== `${shape}`)
      faults.push(
        `"stored" must hold ${name} (${shape.join(', ')}), found (${stored.get(name)?.join(', ') ?? ''})`,
      )
    if (isUnused(name)) faults.push(`isUnused must be false of ${name}, which is in "tensors"`)
  }
  for (const name of stored.keys())
    if (!tensors.has(name) && !isUnused(name))
      faults.push(`isUnused must be true of ${name}, which "stored" has and "tensors" has not`)
  return faults
}

const frames = 2
const prompt = { ids: [5, -200, 7, 8], momentSeconds: 1, completions: [[11, 12, 13], [14]] }

/** Faults that show without a device. */
function faultsOfRecording(config: ModelConfig, { prefix }: Role): string[] {
  const options = { shape: shapeOf(config), weights: expectedTensors(config), maxLength: config.maxLength }
  for (const precision of ['float32', 'float16'] as const)
    try {
      const model = devicelessModel({
        ...options,
        frameWords: 0,
        precision,
        trained: name => name.startsWith(prefix),
      })
      visionBytes(model, frames)
      passBytes(model, { sequences: 1, textTokens: 4, frames, completions: 2, length: 3 }, true)
    } catch (error) {
      return [`its passes must be recorded in ${precision}: ${messageOf(error)}`]
    }
  return []
}

/** Features are kept under a name that says what the kernels, settings and constants of a recording say. */
function faultsOfKeptFeatures(device: Device, config: ModelConfig): string[] {
  const weights = allocateParameters(device, expectedTensors(config), () => false)
  try {
    const shape = shapeOf(config)
    const model = { device, shape, weights, precision: 'float32' } as const
    const { imageSize, channels } = shape.vision
    const recording = new Recording(device)
    recordVision(recording, model, [frames, channels, imageSize, imageSize])
    const [scores] = scoresIn(recording)
    if (scores && sizeOf(scores.shape) * 4 > frames * shape.vision.scoreBytes)
      return [
        `scoreBytes must be the bytes of the attention scores of a frame, ${(sizeOf(scores.shape) * 4) / frames}, found ${shape.vision.scoreBytes}`,
      ]
    const [input] = recording.inputs.keys()
    if (input)
      return [
        `a tower must not record "${input.label}" by recording.input: its numbers are not in the name of kept features; use recording.constant`,
      ]
    const [first, second] = [towerDigest(model), towerDigest(model)]
    return first === second ? [] : ['must record the same each time: kept features would not be found again']
  } finally {
    weights.free()
  }
}

/** The largest scores first. */
const scoresIn = ({ segments }: Recording): Tensor[] =>
  segments
    .flatMap(({ commands }) =>
      commands.flatMap(command => ('dispatch' in command ? command.dispatch.tensors : [])),
    )
    .filter(({ label }) => label === 'attention scores')
    .sort((a, b) => sizeOf(b.shape) - sizeOf(a.shape))

/** Gradients of the part's weights against finite differences of a sum of log-probabilities, along directions of ± 1. */
async function faultsOfGradients(
  device: Device,
  config: ModelConfig,
  names: readonly string[],
): Promise<string[]> {
  const wanted = new Set(names)
  const weights = allocateParameters(device, expectedTensors(config), name => wanted.has(name))
  const shape = shapeOf(config)
  const model = { device, shape, weights, precision: 'float32', maxLength: config.maxLength } as const
  const { channels, imageSize } = shape.vision
  const pixels = device.tensor('pixels', [frames, channels, imageSize, imageSize], 'f32')
  fill(device, pixels, 'pixels', 0, 0.5)
  fillWeights(device, weights)
  const sequence = { ...prompt, pixels }
  const coefficients = Float32Array.of(1, -0.7, 0.4, 0.9)
  const lossOf = async () => {
    const pass = await forward(model, [sequence], false)
    pass.free()
    return pass.logProbs.reduce((sum, value, i) => sum + value * (coefficients[i] ?? 0), 0)
  }
  try {
    const pass = await forward(model, [sequence], true)
    const size = pass.logProbs.reduce((sum, value) => sum + Math.abs(value), 0)
    pass.backward(coefficients)
    pass.free()
    const faults: string[] = []
    for (const name of names)
      faults.push(...(await faultsOfGradient(device, parameter(weights, name), { lossOf, size })))
    return faults
  } finally {
    device.freeTensor(pixels)
    weights.free()
  }
}

async function faultsOfGradient(
  device: Device,
  { name, value, gradient }: ReturnType<typeof parameter>,
  { lossOf, size }: { lossOf: () => Promise<number>; size: number },
): Promise<string[]> {
  if (!gradient) return []
  const [values, slopes] = [await device.read(value), await device.read(gradient)]
  if (slopes.every(slope => slope === 0))
    return [`the gradient of ${name} must not be 0: no kernel reads it, or one has no backward`]
  const step = 1e-2 * Math.max(0.1, rms(values))
  const signs = randomOf(1, name)
  const direction = values.map(() => (signs.uniform() < 0.5 ? -1 : 1))
  const at = async (distance: number) => {
    device.write(
      value,
      Float32Array.from(values, (x, i) => x + distance * (direction[i] ?? 0)),
    )
    return lossOf()
  }
  const [above, below] = [await at(step), await at(-step)]
  device.write(value, Float32Array.from(values))
  const wanted = (above - below) / (2 * step)
  const found = slopes.reduce((sum, slope, i) => sum + slope * (direction[i] ?? 0), 0)
  // Over a step the slope changes by a few percent, and the rounding of the sum is divided by the step.
  const bound = 0.02 * rms(slopes) * Math.sqrt(slopes.length) + (5e-7 * size) / step
  if (Math.abs(found - wanted) <= bound) return []
  return [
    `the gradient of ${name} must be ${wanted.toPrecision(4)} along a direction, as by finite differences, found ${found.toPrecision(4)}`,
  ]
}

const rms = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)

/** Matrices keep the size of signals; norms are near 1, biases near 0. */
function fillWeights(device: Device, weights: ParameterSet): void {
  for (const { name, shape, value } of weights.byName.values()) {
    const isVector = shape.length === 1
    const mean = isVector && !name.endsWith('bias') ? 1 : 0
    fill(device, value, name, mean, isVector ? 0.1 : (sizeOf(shape.slice(1)) || 1) ** -0.5)
  }
}

function fill(device: Device, tensor: Tensor, label: string, mean: number, deviation: number): void {
  const random = randomOf(2, label)
  const value = () => mean + deviation * random.normal()
  device.write(tensor, Float32Array.from({ length: sizeOf(tensor.shape) }, value))
}
