import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device.ts'
import { Pass } from '../../kernels/layers/pass.ts'
import { groupResampler } from '../../kernels/networks/group-resampler.ts'
import { allocateParameters, parameter } from '../../kernels/networks/parameters.ts'
import { compile, Plan } from '../../kernels/plan.ts'
import { sizeOf } from '../../kernels/tensor.ts'
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

/** Runs connector.json's miniature, whose weights and input follow a rule: element i of the k-th parameter is
 * 0.2 sin(0.7 i + 1.3 k), plus 1 for gains of norms; element i of the input is sin(0.11 i). */
export async function checkConnector(folder: string, device: Device): Promise<Row[]> {
  const { config, param_order, output }: Miniature = JSON.parse(
    await readFile(join(folder, 'connector.json'), 'utf8'),
  )
  const names = param_order.map(([name, shape]) => [`connector.${name}`, shape] as const)
  const weights = allocateParameters(device, new Map(names), () => false)
  for (const [k, [name, shape]] of names.entries()) {
    const gain = shape.length === 1 && name.endsWith('weight') ? 1 : 0
    const values = Float32Array.from(
      { length: sizeOf(shape) },
      (_, i) => 0.2 * Math.sin(0.7 * i + 1.3 * k) + gain,
    )
    device.write(parameter(weights, name).value, values)
  }
  const plan = new Plan(device)
  const shape = [config.tokens, config.vision_hidden_size]
  const input = plan.constant(
    'input',
    shape,
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(0.11 * i)),
  )
  const connector = {
    groups: config.group,
    latents: Math.floor(config.num_queries / config.group),
    layers: config.num_resampler_layers,
    heads: 8,
    headSize: 64,
  }
  const out = groupResampler(new Pass(plan, false), weights, connector, input)
  plan.pinned.add(out)
  const compiled = await compile(device, plan, 'miniature connector')
  compiled.run()
  const found = await compiled.read(out)
  compiled.free()
  weights.free()
  return [row('connector.json output', relativeError(found, output.flat()), 1e-5)]
}
