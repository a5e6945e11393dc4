import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device/device.ts'
import { toFloat16Bits } from '../../kernels/device/float16.ts'
import { sizeOf } from '../../kernels/device/tensor.ts'
import { Pass } from '../../kernels/layers/pass.ts'
import { allocateParameters, parameter } from '../../kernels/networks/parameters.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { type Precision, Recording } from '../../kernels/plan/recording.ts'
import { resamplerNetwork } from '../../operators/model/parts/group-resampler.ts'
import { connectorRoundings, off } from './bounds.ts'
import { type Row, relativeError, row } from './row.ts'

interface Miniature {
  config: {
    num_queries: number
    group: number
    num_resampler_layers: number
    vision_hidden_size: number
    tokens: number
  }
  param_order: [name: string, shape: number[]][]
  output: number[][]
}

/** Runs connector.json's miniature in that precision, whose weights and input follow a rule: element i of the k-th parameter is
 * 0.2 sin(0.7 i + 1.3 k), plus 1 for gains of norms; element i of the input is sin(0.11 i). */
export async function checkConnector(folder: string, device: Device, precision: Precision): Promise<Row[]> {
  const { config, param_order, output }: Miniature = JSON.parse(
    await readFile(join(folder, 'connector.json'), 'utf8'),
  )
  const names = param_order.map(([name, shape]) => [`connector.${name}`, shape] as const)
  const weights = allocateParameters(device, new Map(names), () => false, precision)
  for (const [k, [name, shape]] of names.entries()) {
    const gain = shape.length === 1 && name.endsWith('weight') ? 1 : 0
    const values = Float32Array.from(
      { length: sizeOf(shape) },
      (_, i) => 0.2 * Math.sin(0.7 * i + 1.3 * k) + gain,
    )
    const { value } = parameter(weights, name)
    device.write(value, value.type === 'f16' ? toFloat16Bits(values) : values)
  }
  const recording = new Recording(device, precision)
  const shape = [config.tokens, config.vision_hidden_size]
  const input = recording.constant(
    'input',
    shape,
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(0.11 * i)),
  )
  const latents = Math.floor(config.num_queries / config.group)
  const sizes = {
    groups: config.group,
    latents,
    queries: config.group * latents,
    positionsAt: 'tokens' as const,
    layers: config.num_resampler_layers,
    heads: 8,
    headSize: 64,
    intermediate: 0, // only names of tensors follow from it
    normEpsilon: 1e-5,
  }
  const out = resamplerNetwork(sizes).record(new Pass(recording, false), weights, input)
  recording.pinned.add(out)
  const compiled = await compile(device, recording, 'miniature connector')
  compiled.run()
  const found = await compiled.read(out)
  compiled.free()
  weights.free()
  // Sines multiply sines: sums nearly vanish, to the size of a term, where terms of random sign would give √K of it.
  const bound =
    precision === 'float32'
      ? 1e-5
      : Math.sqrt(sizes.heads * sizes.headSize) * off(connectorRoundings(sizes.layers))
  return [row('connector.json output', relativeError(found, output.flat()), bound)]
}
