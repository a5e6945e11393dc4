import t from 'tap'
import { flashAttention } from '../../../kernels/attention/flash.ts'
import { flashAttentionBackward } from '../../../kernels/attention/flash-backward.ts'
import type { AttentionShape } from '../../../kernels/attention/flash-shape.ts'
import type { Recording } from '../../../kernels/plan/recording.ts'
import { complaints, nullDevice } from '../null-device.ts'

const gpu = await nullDevice()
t.teardown(() => gpu.destroy())

// Rows of a frame and of a few latents, heads of the vision tower, the connector and the language model.
const sizes = [
  { rows: 729, headSize: 72 },
  { rows: 32, headSize: 64 },
  { rows: 700, headSize: 128 },
]

for (const kind of ['none', 'lengths', 'causal'] as const)
  await t.test(
    `attention in blocks with mask ${kind} is valid WGSL that fits into workgroup memory`,
    async t => {
      const found = await complaints(gpu, recording => {
        for (const type of ['f32', 'f16'] as const)
          for (const { rows, headSize } of sizes) {
            const width = 2 * headSize
            const fused = recording.tensor('queries, keys and values', [rows, 3 * width], type)
            const heads = { queries: { tensor: fused }, keys: { tensor: fused, column: width } }
            const inputs = { ...heads, values: { tensor: fused, column: 2 * width } }
            const out = recording.tensor('out', [rows, width], type)
            const gradient = recording.tensor('gradient', [rows, 3 * width])
            const into = (column: number) => ({ tensor: gradient, column, accumulate: false })
            const of = {
              batches: 1,
              rows,
              keyRows: rows,
              heads: 2,
              keyValueHeads: 2,
              headSize,
              scale: 0.125,
              ...{
                ...inputs,
                out,
                logSums: recording.tensor('log sums', [1, 2, rows]),
                mask: maskOf(recording, kind, rows),
              },
            }
            flashAttention(recording, of)
            const gradients = { dQueries: into(0), dKeys: into(width), dValues: into(2 * width) }
            flashAttentionBackward(recording, { ...of, dOut: out, ...gradients })
          }
        t.same(tooLarge(recording), [])
      })
      t.same(found, [])
    },
  )

function maskOf(
  recording: Recording,
  kind: AttentionShape['mask']['kind'],
  rows: number,
): AttentionShape['mask'] {
  const list = (label: string, length: number) => recording.constant(label, [length], new Uint32Array(length))
  if (kind === 'none') return { kind }
  if (kind === 'lengths') return { kind, lengths: list('lengths', 1) }
  return { kind, segments: list('segments', rows), parents: list('parents', rows) }
}

/** Kernels whose workgroups need more memory than the 48 KiB that GPUs with matrix units have. */
function tooLarge(recording: Recording): string[] {
  const found: string[] = []
  for (const { commands } of recording.segments)
    for (const command of commands) {
      if (!('dispatch' in command)) continue
      const { name, code } = command.dispatch.kernel
      const vectors = Number(/var<workgroup> tile: array<vec4u, (\d+)>/.exec(code)?.[1] ?? 0)
      const numbers = Number(/var<workgroup> stats: array<f32, (\d+)>/.exec(code)?.[1] ?? 0)
      // Beside them bounds and grown, in whole vectors.
      if (vectors * 16 + numbers * 4 + 16 > 48 * 1024) found.push(name)
    }
  return found
}
