import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { columnSum } from '../rows/column-sum.ts'
import { flashKeyGradientsWgsl, keyTile, rowTile, type Write } from './flash-key-gradients-wgsl.ts'
import { bindGradients, flashKernel } from './flash-launch.ts'
import type { FlashBackward, HeadsGradient } from './flash-shape.ts'

// dK = dSᵀ Q and dV = Pᵀ dO of flash attention (formulas in flash-backward.ts). A workgroup keeps 64 keys of a key head and goes
// through the rows of all query heads that share it, 32 at a time. Everything is transposed: scores have a row for each key.
//
//               32 rows                             headSize
//             ┌────┬────┐                    ┌──┬──┬──┬──┬──┬──┐
//   16 keys   │ s0 │ s4 │  Sᵀ and dPᵀ        │s0│s4│s0│s4│s0│s4│  dK and dV: a pair of subgroups shares 16 keys. Each scores
//   16 keys   │ s1 │ s5 │                    │s1│s5│ …           │  half of the rows, then makes every other 16 columns.
//             └────┴────┘                    └──┴──┴─           ┘
//
// Where that gives fewer workgroups than a large GPU has room for, query heads that share a key head are divided among
// workgroups, whose parts are summed afterwards in a fixed order.

/** Records dK and dV, where they are asked for; `dots` is (batches, heads, rows). */
export function flashKeyGradients(recording: Recording, of: FlashBackward, dots: Tensor): void {
  const parts = partsOf(of)
  if (parts === 1) {
    record(recording, of, dots, parts)
    return
  }
  const partly = (gradient: HeadsGradient | undefined): HeadsGradient | undefined => {
    const shape = gradient && [parts * gradient.tensor.shape[0], gradient.tensor.shape[1]]
    return shape && { tensor: recording.tensor('parts of a gradient', shape), accumulate: false }
  }
  const [dKeys, dValues] = [partly(of.dKeys), partly(of.dValues)]
  record(recording, { ...of, dKeys, dValues }, dots, parts)
  for (const [from, to] of [
    [dKeys, of.dKeys],
    [dValues, of.dValues],
  ]) {
    if (!from || !to) continue
    if (!to.accumulate) recording.fill(to.tensor)
    columnSum(recording, { x: from.tensor, out: to.tensor })
  }
}

/** Fewer workgroups than this leave a large GPU idle. */
const enoughWorkgroups = 256

/** Into how many parts the query heads that share a key head are divided, which are summed afterwards. */
function partsOf({ batches, keyRows, heads, keyValueHeads, headSize, ...of }: FlashBackward): number {
  const alone = [of.dKeys, of.dValues].every(
    gradient => !gradient || gradient.tensor.shape[1] === keyValueHeads * headSize,
  )
  const workgroups = batches * keyValueHeads * Math.ceil(keyRows / keyTile)
  return alone && workgroups < enoughWorkgroups ? heads / keyValueHeads : 1
}

function record(recording: Recording, of: FlashBackward, dots: Tensor, parts: number): void {
  const { dKeys, dValues, batches, rows, keyRows, heads, keyValueHeads, scale } = of
  if (!dKeys && !dValues) return
  const { bindings, names } = bindGradients(recording, of, dots, { rowTile, keyTile, transposed: true })
  const into = { element: 'vec4f', access: 'write' } as const
  const writes: Write[] = []
  if (dKeys) {
    bindings.add('into_keys', dKeys.tensor, into)
    writes.push({ side: 'k', array: 'into_keys', accumulate: dKeys.accumulate })
  }
  if (dValues) {
    const array = dValues.tensor === dKeys?.tensor ? 'into_keys' : 'into_values'
    bindings.add(array, dValues.tensor, into)
    writes.push({ side: 'v', array, accumulate: dValues.accumulate })
  }
  const counts = bindings.counts()
  const tiles = Math.ceil(keyRows / keyTile)
  flashKernel(recording, of, {
    name: 'flash_key_gradients',
    bindings,
    tiles,
    scale,
    workgroups: tiles * keyValueHeads * parts * batches,
    variant: [writes, names],
    params: {
      key_heads: keyValueHeads,
      row_tiles: Math.ceil(rows / rowTile),
      parts,
      part_heads: heads / keyValueHeads / parts,
      part_rows: batches * keyRows,
    },
    code: () => flashKeyGradientsWgsl(recording, of, names, { loads: bindings.loads, writes, counts }),
  })
}
