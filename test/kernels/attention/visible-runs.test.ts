import t from 'tap'
import { runsOf } from '../../../kernels/attention/visible-runs.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { attention } from '../../../kernels/layers/attention.ts'
import { Pass } from '../../../kernels/layers/pass.ts'
import type { Recording } from '../../../kernels/plan/recording.ts'
import { compileOrReuse } from '../../../kernels/plan/reuse.ts'
import { close, noise } from '../support.ts'

/** Segments and parents of packed prompts with completions, by their lengths. */
function packed(prompts: readonly { length: number; completions: readonly number[] }[]) {
  const [segments, parents]: [number[], number[]] = [[], []]
  let segment = 0
  for (const { length, completions } of prompts) {
    const parent = segment
    for (const count of [length, ...completions]) {
      segments.push(...new Array(count).fill(segment++))
      parents.push(...new Array(count).fill(parent))
    }
  }
  return { segments, parents, rows: segments.length }
}

const cases = {
  'one prompt': packed([{ length: 70, completions: [33, 5, 21] }]),
  'two prompts': packed([
    { length: 37, completions: [20, 19] },
    { length: 50, completions: [3, 64] },
  ]),
  'a prompt without completions': packed([{ length: 20, completions: [] }]),
  // Rows of segment 2 see segments 0 and 2 only, rows of 3 all three: runs that join take in what lies between.
  'parents that lie apart': {
    segments: [0, 1, 2, 0, 1, 3].flatMap(segment => new Array(16).fill(segment)),
    parents: [0, 1, 0, 0, 1, 1].flatMap(parent => new Array(16).fill(parent)),
    rows: 96,
  },
}

for (const [name, { segments, parents, rows }] of Object.entries(cases))
  t.test(`${name}: runs hold all that is seen, and rows and keys agree on them`, async t => {
    const { ofRows, ofKeys } = runsOf(segments, parents, rows)
    const holds = (runs: Uint32Array, tile: number, place: number) =>
      [0, 2].some(r => runs[tile * 4 + r] <= place && place < runs[tile * 4 + r + 1])
    const [missed, disagreed]: [string[], string[]] = [[], []]
    for (let row = 0; row < rows; row++)
      for (let key = 0; key < rows; key++) {
        const sees = key <= row && [segments[row], parents[row]].includes(segments[key])
        const [inRow, inKey] = [holds(ofRows, row >> 4, key), holds(ofKeys, key >> 4, row)]
        if (sees && !(inRow && inKey)) missed.push(`${row} ${key}`)
        if (inKey && !inRow) disagreed.push(`${row} ${key}`)
      }
    t.same([missed, disagreed], [[], []])
  })

const device = await openDevice({ family: 'cpu' })
t.teardown(() => device.close())
const [heads, keyValueHeads, headSize] = [4, 2, 8]

/** Output and gradients of attention whose memory held no numbers before; in runs if the recording knows the mask. */
async function attended(of: (typeof cases)['one prompt'], isKnown: boolean): Promise<number[]> {
  const { rows } = of
  const widths = {
    queries: heads * headSize,
    keys: keyValueHeads * headSize,
    values: keyValueHeads * headSize,
  }
  const lists = { segments: Uint32Array.from(of.segments), parents: Uint32Array.from(of.parents) }
  const list = (recording: Recording, name: 'segments' | 'parents') =>
    isKnown ? recording.input(name, [rows], () => lists[name]) : recording.pin(name, [rows], 'u32')
  const { compiled, made } = await compileOrReuse(device, {
    owner: of,
    label: 'test',
    key: `${isKnown}`,
    precision: 'float32',
    record(recording) {
      const pass = new Pass(recording, true)
      const weight = {
        name: 'w',
        shape: [1],
        value: recording.pin('w', [1]),
        gradient: recording.pin('dw', [1]),
      }
      const input = (name: keyof typeof widths) => {
        const tensor = pass.output(name, [rows, widths[name]], [], [weight])
        recording.pinned.add(tensor)
        return tensor
      }
      const inputs = { queries: input('queries'), keys: input('keys'), values: input('values') }
      const mask = {
        kind: 'causal',
        segments: list(recording, 'segments'),
        parents: list(recording, 'parents'),
      } as const
      const y = attention(pass, {
        queries: { tensor: inputs.queries },
        keys: { tensor: inputs.keys },
        values: { tensor: inputs.values },
        batches: 1,
        rows,
        keyRows: rows,
        heads,
        keyValueHeads,
        headSize,
        scale: 0.3,
        mask,
      })
      const dy = recording.pin('dy', y.shape)
      recording.pinned.add(y)
      pass.coefficients(y, dy)
      pass.backward()
      const gradients = Object.values(inputs).map(x => pass.into(x).gradient)
      for (const gradient of gradients) recording.pinned.add(gradient)
      return { inputs, dy, mask, results: [y, ...gradients] }
    },
  })
  const slabs = new Set(made.results.map(result => compiled.at(result).storage?.buffer))
  for (const slab of slabs)
    if (slab) device.gpu.queue.writeBuffer(slab, 0, new Float32Array(slab.size / 4).fill(Number.NaN))
  if (!isKnown)
    for (const name of ['segments', 'parents'] as const) compiled.write(made.mask[name], lists[name])
  const inputs: Tensor[] = [...Object.values(made.inputs), made.dy]
  for (const [i, tensor] of inputs.entries())
    compiled.write(tensor, noise(tensor.shape[0] * tensor.shape[1], i + 1))
  compiled.run()
  const found: number[] = []
  for (const result of made.results) found.push(...(await compiled.read(result)))
  compiled.free()
  return found
}

for (const [name, of] of Object.entries(cases))
  t.test(`${name}: attention in runs is that over all keys, whatever its memory held`, async t => {
    close(t, await attended(of, true), await attended(of, false), 2e-6)
  })
