import { type StepProductName, stepTileFor } from '../../kernels/decode/product-table.ts'
import type { StepTile } from '../../kernels/decode/product-tile.ts'
import { addProjection, gatedProjection, stepLogits } from '../../kernels/decode/projections.ts'
import { attentionInputs } from '../../kernels/decode/query-key-value.ts'
import { blocksOf, squaresOf } from '../../kernels/decode/row-blocks.ts'
import type { Device } from '../../kernels/device/device.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { headWeight, layerWeight } from '../../kernels/networks/language-weights.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { type BenchOptions, type Measurement, measure } from './measure.ts'
import { randomModel } from './released.ts'

const depths = [32, 64, 128]

/** Every cut of a step's products, and the one that the table has: what kernels/decode/product-table.ts was made from. */
export async function* decodeCuts(
  device: Device,
  { rounds, config, all }: BenchOptions,
): AsyncGenerator<Measurement> {
  if (device.units === 'none')
    throw new Error(
      `decode-cuts: ${device.info.device} has no matrix units; only GPUs that have them make such steps`,
    )
  const model = await randomModel(device, 'none', config)
  for (const rows of [8, 64])
    for (const { name, wide, columns, inner, unit, weights, record } of products(model, rows)) {
      const tiles = [stepTileFor(name, rows, inner, { columns, unit })]
      if (all) tiles.push(...cuts(wide))
      for (const tile of tiles) {
        const layers = Array.from({ length: model.shape.language.layers }, (_, i) => i)
        const bytes = 2 * columns * inner
        const label = `${name} ${rows}: ${tile.subgroups} subgroups by ${tile.divide}, ${16 * tile.columnBlocks} columns, ${tile.depth} deep`
        try {
          const recording = new Recording(device, 'float16')
          for (const layer of weights === 'one' ? [0, 0, 0] : layers) record(recording, layer, tile)
          const count = recording.segments[0].commands.length
          const compiled = await compile(device, recording, 'cut')
          // Bursts of tens of milliseconds, since an idle GPU needs that long to reach its clock.
          const repeats = Math.ceil(0.02 / (count * (bytes / 3e12)))
          const seconds = await measure(rounds, async () => {
            compiled.run(Array.from({ length: repeats }, () => 'main'))
            await device.finish()
          })
          compiled.free()
          yield { name: label, seconds: seconds.map(s => s / (repeats * count)), bytes }
        } catch (error) {
          // Some cuts need more workgroup memory than there is, or do not divide the columns.
          console.error(`${label}: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
        }
      }
    }
  model.weights.free()
}

const cuts = (wide: boolean): StepTile[] =>
  (wide ? (['k', 'columns'] as const) : (['k'] as const)).flatMap(divide =>
    [2, 4, 8, 16].flatMap(subgroups =>
      [1, 2].flatMap(columnBlocks => depths.map(depth => ({ subgroups, columnBlocks, depth, divide }))),
    ),
  )

interface Product {
  name: StepProductName
  /** Whether subgroups may divide its columns. */
  wide: boolean
  columns: number
  inner: number
  unit: number
  weights: 'one' | 'layers'
  record(recording: Recording, layer: number, tile: StepTile): void
}

/** The products of the model's step over made-up rows. */
function products({ device, shape: { language }, weights }: VideoModel, rows: number): Product[] {
  const { hidden, heads, keyValueHeads, headSize, vocabulary } = language
  const intermediate = layerWeight(weights, 0, 'mlp.gate_proj.weight').shape[0]
  const of = (layer: number, name: string) => layerWeight(weights, layer, `${name}.weight`).value
  const made = new Map<string, Tensor>()
  const tensor = (label: string, dimensions: readonly number[], type: Tensor['type'] = 'f32') => {
    const key = `${label} ${dimensions}`
    const known = made.get(key) ?? device.tensor(label, dimensions, type)
    made.set(key, known)
    return known
  }
  const half = (label: string, dimensions: readonly number[]) => tensor(label, dimensions, 'f16')
  const scales = tensor('scales', [squaresOf(rows, 1)[1]])
  const squares = tensor('squares', squaresOf(rows, hidden / 16))
  const x = { rows: half('x', blocksOf(rows, hidden)), squares, scales, size: hidden, epsilon: 1e-6 }
  const gated = half('gated', blocksOf(rows, intermediate))
  const outputs = (heads + 2 * keyValueHeads) * headSize
  const add = (name: 'out' | 'down', weight: string, from: Tensor): Product => ({
    ...{ name, wide: false, columns: hidden, inner: from.shape[0] * 16, unit: hidden },
    weights: 'layers',
    record(recording, layer, tile) {
      const inner = from.shape[0] * 16
      const parts = hidden / (16 * tile.columnBlocks)
      const next = {
        rows: half('next', blocksOf(rows, hidden)),
        squares: tensor('next squares', squaresOf(rows, parts)),
      }
      const stream = tensor('stream', [rows, hidden])
      const gain = tensor('gain', [hidden])
      addProjection(recording, {
        ...{ from, inner, weight: of(layer, weight), x: stream, scales, gain, next, rows, columns: hidden },
        tile,
      })
    },
  })
  return [
    {
      ...{ name: 'qkv', wide: false, columns: outputs, inner: hidden, unit: headSize, weights: 'layers' },
      record(recording, layer, tile) {
        attentionInputs(recording, {
          ...{ x, rows, heads, keyValueHeads, headSize, capacity: 64, tile },
          queryWeight: of(layer, 'self_attn.q_proj'),
          keyWeight: of(layer, 'self_attn.k_proj'),
          valueWeight: of(layer, 'self_attn.v_proj'),
          bias: tensor('bias', [outputs]),
          angles: tensor('angles', [64, headSize / 2, 2]),
          lengths: tensor('lengths', [rows], 'u32'),
          position: tensor('position', [rows], 'u32'),
          queries: half('queries', [keyValueHeads, rows, heads / keyValueHeads, headSize]),
          cache: half('cache', [2, rows, 64, keyValueHeads * headSize]),
        })
      },
    },
    add('out', 'self_attn.o_proj', x.rows),
    {
      ...{ name: 'gated', wide: true, columns: 2 * intermediate, inner: hidden, unit: 2 * intermediate },
      weights: 'layers',
      record(recording, layer, tile) {
        const [gate, up] = [of(layer, 'mlp.gate_proj'), of(layer, 'mlp.up_proj')]
        gatedProjection(recording, { x, rows, gate, up, out: gated, columns: intermediate, tile })
      },
    },
    add('down', 'mlp.down_proj', gated),
    {
      ...{ name: 'head', wide: true, columns: vocabulary, inner: hidden, unit: 64, weights: 'one' },
      record(recording, _, tile) {
        const logits = tensor('logits', [rows, vocabulary])
        const weight = headWeight(weights, language).value
        stepLogits(recording, { x, rows, weight, logits, columns: vocabulary, tile })
      },
    },
  ]
}
