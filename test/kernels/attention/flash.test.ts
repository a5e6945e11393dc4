import t from 'tap'
import { flashAttention } from '../../../kernels/attention/flash.ts'
import { flashAttentionBackward } from '../../../kernels/attention/flash-backward.ts'
import type { AttentionShape } from '../../../kernels/attention/flash-shape.ts'
import type { FlashTile } from '../../../kernels/attention/flash-table.ts'
import type { Mask } from '../../../kernels/attention/softmax.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { fromFloat16, toFloat16Bits } from '../../../kernels/device/float16.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { close, noise } from '../support.ts'
import { attentionReference, type Sees } from './attention-reference.ts'

// Each kind of kernel takes seconds to compile for a software adapter.
t.setTimeout(800_000)

const device = await unitsDevice()
t.teardown(() => device.close())

interface Case extends Omit<AttentionShape, 'mask' | 'scale'> {
  name: string
  mask: Mask['kind']
  type: 'f32' | 'f16'
  /** Multiplies the queries: large scores make the largest of a row grow from block to block. */
  growth?: number
  tile?: FlashTile
  /** Gradients are made as well. */
  backward?: boolean
}

// Small tiles in place of the measured ones: software adapters compile loops in the place of units slowly.
const narrow: FlashTile = { subgroups: 2, rowBlocks: 1, keyTile: 32, turns: true }
const wide: FlashTile = { subgroups: 2, rowBlocks: 2, keyTile: 16, turns: false }

// Rows around tiles of 32 and 64, heads around a block of 16, key heads shared and not; few kinds of kernels.
const heads = { heads: 2, keyValueHeads: 2, batches: 1 }
const padded = { ...heads, mask: 'lengths', headSize: 8, type: 'f16', tile: narrow, backward: true } as const
const shared = { ...heads, heads: 4, mask: 'causal', headSize: 16, type: 'f16' } as const
const frames = { ...heads, mask: 'none', headSize: 24, type: 'f32', tile: wide } as const
const cases: Case[] = [
  { name: 'one row and one key', ...padded, rows: 1, keyRows: 1 },
  { name: 'a row more than a tile', ...padded, rows: 65, keyRows: 65 },
  { name: 'scores that grow along the keys', ...padded, rows: 20, keyRows: 200, growth: 60 },
  { name: 'keys of different lengths', ...padded, rows: 5, keyRows: 130, batches: 2 },
  { name: 'a prompt and its completions', ...shared, rows: 150, keyRows: 150, tile: narrow, backward: true },
  { name: 'a prompt and its completions, in wide tiles', ...shared, rows: 150, keyRows: 150, tile: wide },
  { name: 'one row and one key of a frame', ...frames, rows: 1, keyRows: 1 },
  { name: 'frames of a row more than a tile', ...frames, rows: 65, keyRows: 65, batches: 2 },
  { name: 'scores of a frame that grow along the keys', ...frames, rows: 20, keyRows: 200, growth: 60 },
]

for (const of of cases)
  await t.test(`${of.name} agree with the reference`, async t => {
    const { batches, rows, keyRows, heads, keyValueHeads, headSize, backward = false } = of
    const scale = headSize ** -0.5
    // Where a row sees one key almost alone, dP − Σ cancels: what is left shows the rounding of the probabilities.
    const bound = of.growth ? 2 ** -8 : 2 ** -10
    const width = keyValueHeads * headSize
    // Rounded to float16, so that only the probabilities' rounding is left.
    const queries = rounded(noise(batches * rows * heads * headSize, 1), of.growth)
    const keys = rounded(
      noise(batches * keyRows * width, 2).map((x, i) => (of.growth ? ((x + 1) * i) / (keyRows * width) : x)),
    )
    const values = rounded(noise(batches * keyRows * width, 3))
    const recording = new Recording(device, 'float16')
    const given = (label: string, [height, columns]: [number, number], data: Float32Array<ArrayBuffer>) =>
      device.tensor(label, [height, columns], of.type, of.type === 'f16' ? toFloat16Bits(data) : data)
    const { mask, sees } = maskOf(recording, of)
    const out = recording.pin('out', [batches * rows, heads * headSize])
    const logSums = recording.pin('log sums', [batches, heads, rows])
    const shape = { batches, rows, keyRows, heads, keyValueHeads, headSize, scale, mask }
    const inputs = {
      queries: { tensor: given('queries', [batches * rows, heads * headSize], queries) },
      keys: { tensor: given('keys', [batches * keyRows, width], keys) },
      values: { tensor: given('values', [batches * keyRows, width], values) },
    }
    const tile = of.tile && { tile: of.tile }
    flashAttention(recording, { ...shape, ...inputs, out, logSums, ...tile })
    const dOut = rounded(noise(batches * rows * heads * headSize, 4))
    const [dQueries, dKeys, dValues] = [inputs.queries, inputs.keys, inputs.values].map(({ tensor }, i) => {
      const gradient = recording.pin('gradient', tensor.shape)
      return { tensor: gradient, accumulate: i === 1 }
    })
    recording.fill(dKeys.tensor)
    if (backward)
      flashAttentionBackward(recording, {
        ...{ ...shape, ...inputs, out, logSums, dQueries, dKeys, dValues },
        dOut: given('d out', [batches * rows, heads * headSize], dOut),
      })
    const compiled = await compile(device, recording, 'test')
    compiled.run()
    t.teardown(() => compiled.free())
    const wanted = attentionReference(of, { queries, keys, values }, scale, sees, dOut)
    close(t, await compiled.read(out), wanted.out, 2 ** -11, 'out')
    close(t, await compiled.read(logSums), wanted.logSums, 1e-5, 'log sums')
    if (!backward) return
    close(t, await compiled.read(dQueries.tensor), wanted.dQueries, bound, 'd queries')
    close(t, await compiled.read(dKeys.tensor), wanted.dKeys, bound, 'd keys')
    close(t, await compiled.read(dValues.tensor), wanted.dValues, bound, 'd values')
  })

/** The nearest float16 of each number, times `factor`. */
function rounded(values: Float32Array<ArrayBuffer>, factor = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from(toFloat16Bits(values.map(x => x * factor)), fromFloat16)
}

// A prompt of 70 followed by two completions of 40; in other masks the second batch is shorter.
function maskOf(
  recording: Recording,
  { mask: kind, rows, keyRows, batches }: Case,
): { mask: Mask; sees: Sees } {
  if (kind === 'none') return { mask: { kind }, sees: () => true }
  if (kind === 'lengths') {
    const lengths = Uint32Array.from({ length: batches }, (_, i) => (i === 0 ? keyRows : 3))
    return {
      mask: { kind, lengths: recording.constant('lengths', [batches], lengths) },
      sees: (batch, _, key) => key < lengths[batch],
    }
  }
  const segments = Uint32Array.from({ length: rows }, (_, i) => (i < 70 ? 0 : i < 110 ? 1 : 2))
  const parents = new Uint32Array(rows)
  const list = (label: string, data: Uint32Array<ArrayBuffer>) => recording.constant(label, [rows], data)
  return {
    mask: { kind, segments: list('segments', segments), parents: list('parents', parents) },
    sees: (_, row, key) => key <= row && (segments[key] === segments[row] || segments[key] === 0),
  }
}

/** The GPU at hand with its matrix units, or loops in their place. */
async function unitsDevice() {
  const device = await openDevice({ family: 'gpu' })
  if (device.units === 'native') return device
  device.close()
  return openDevice({ family: 'gpu', units: 'emulated' })
}
