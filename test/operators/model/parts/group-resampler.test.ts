import t from 'tap'
import { Pass } from '../../../../kernels/layers/pass.ts'
import { allocateParameters } from '../../../../kernels/networks/parameters.ts'
import { compile } from '../../../../kernels/plan/compile.ts'
import { Recording } from '../../../../kernels/plan/recording.ts'
import { configFields } from '../../../../operators/model/checkpoint/config-fields.ts'
import type { CheckpointProblem } from '../../../../operators/model/files/checkpoint-error.ts'
import { groupResampler, naiveResampler } from '../../../../operators/model/parts/group-resampler.ts'
import { close, noise, onEachFamily } from '../../../kernels/support.ts'
import { type Model, connector as oracle } from '../../../oracle/model.ts'
import { constant, Tape } from '../../../oracle/tape.ts'

/** 16 groups, as published, of clips whose frames have 20 features each. */
const [visionHidden, hidden, frameTokens] = [10, 12, 20]

function partOf(kind: 'group' | 'naive') {
  const problems: CheckpointProblem[] = []
  const fields = configFields('c: ', { group: 16, num_queries: 32, num_resampler_layers: 1 }, problems)
  const ends = { tower: { hidden: visionHidden }, language: { hidden } } as never // only this is read
  const part = (kind === 'group' ? groupResampler : naiveResampler)(fields, ends)
  t.same(problems, [])
  return part
}

// One frame a second: groups that a frame does not fill (46 and 45 of its features each, at the released size), groups that end
// within a frame, 16 frames, and as many as the released models have seen.
await onEachFamily(t, async (device, t) => {
  for (const kind of ['group', 'naive'] as const)
    for (const frames of [1, 10, 16, 37, 128])
      await t.test(
        `${kind} resampler: the visual tokens of ${frames} frames are those of plain loops`,
        async t => {
          const { network, sizes, tensors } = partOf(kind)
          const weights = allocateParameters(device, tensors, () => false)
          const matrices = new Map(
            [...tensors].map(([name, shape], i) => {
              const size = shape.reduce((a, b) => a * b)
              const values = noise(size, i + 1, 1).map(value =>
                /norm\w*\.weight$|\.0\.weight$/.test(name) ? 1 + value : value,
              )
              const weight = weights.byName.get(name)
              if (weight) device.write(weight.value, values)
              const rows = shape.length > 1 ? (shape[0] ?? 1) : 1
              return [name, constant([rows, size / rows], Float64Array.from(values))]
            }),
          )
          const rows = frames * frameTokens
          const values = noise(rows * visionHidden, 77)
          // only the connector's sizes and weights are read
          const model = { config: { connector: sizes }, weights: matrices } as unknown as Model
          const wanted = oracle(new Tape(), model, constant([rows, visionHidden], Float64Array.from(values)))

          const recording = new Recording(device)
          const features = recording.pin('features', [rows, visionHidden])
          const visual = network.record(new Pass(recording, false), weights, features)
          recording.pinned.add(visual)
          t.same(visual.shape, [network.visualTokens(rows), hidden])
          const compiled = await compile(device, recording, 'resampler')
          compiled.write(features, values)
          compiled.run()
          close(t, await compiled.read(visual), wanted.data, 1e-5)
          compiled.free()
          weights.free()
        },
      )
})
