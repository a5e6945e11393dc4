import t from 'tap'
import { Pass } from '../../../../kernels/layers/pass.ts'
import { allocateParameters } from '../../../../kernels/networks/parameters.ts'
import { featuresOf } from '../../../../kernels/networks/shape.ts'
import { towerFeatures } from '../../../../kernels/networks/tower-features.ts'
import { compile } from '../../../../kernels/plan/compile.ts'
import { Recording } from '../../../../kernels/plan/recording.ts'
import { configFields } from '../../../../operators/model/checkpoint/config-fields.ts'
import type { CheckpointProblem } from '../../../../operators/model/files/checkpoint-error.ts'
import { internVitPart } from '../../../../operators/model/parts/internvit.ts'
import { pixelShuffleMlp } from '../../../../operators/model/parts/pixel-shuffle-mlp.ts'
import { close, noise, onEachFamily } from '../../../kernels/support.ts'
import { type InternVlSizes, visualTokensOf } from '../../../oracle/internvl.ts'
import { Tape, variable } from '../../../oracle/tape.ts'

const sizes: InternVlSizes = { hidden: 12, heads: 3, layers: 2, imageSize: 13, patchSize: 3, scale: 2 }
const languageHidden = 10

function partsOf(fused: boolean) {
  const problems: CheckpointProblem[] = []
  const vision = {
    hidden_size: sizes.hidden,
    intermediate_size: 20,
    num_attention_heads: sizes.heads,
    num_hidden_layers: sizes.layers,
    image_size: [sizes.imageSize, sizes.imageSize],
    patch_size: sizes.patchSize,
  }
  const tower = internVitPart(configFields('v: ', vision, problems), fused)
  const language = { hidden: languageHidden } as never // only this is read
  const connector = pixelShuffleMlp(configFields('c: ', {}, problems), { tower: tower.network, language })
  t.same(problems, [])
  return { tower, connector }
}

await onEachFamily(t, async (device, t) => {
  for (const fused of [false, true])
    for (const trained of [false, true])
      await t.test(
        `visual tokens${trained ? ' and gradients' : ''} are those of plain loops, ${fused ? 'one matrix' : 'three matrices'} for queries, keys and values`,
        async t => {
          const { tower, connector } = partsOf(fused)
          const shapes = new Map([...tower.tensors, ...connector.tensors])
          const weights = allocateParameters(device, shapes, () => trained)
          const matrices = new Map(
            [...shapes].map(([name, shape], i) => {
              const size = shape.reduce((a, b) => a * b)
              const isGain = /(norm\w*\.weight|lambda_.)$/.test(name)
              const values = noise(size, i + 1, 1).map(value => (isGain ? 1 + value : value))
              const weight = weights.byName.get(name)
              if (weight) device.write(weight.value, values)
              const columns = name.endsWith('.weight')
                ? size / (shape.length > 1 ? shape[0] : 1)
                : shape[shape.length - 1]
              return [name, variable([size / columns, columns], Float64Array.from(values))]
            }),
          )
          const frames = 2
          const pixels = noise(frames * 3 * sizes.imageSize ** 2, 99)
          const tape = new Tape()
          const wanted = visualTokensOf(tape, matrices, sizes, {
            frames,
            fused,
            pixels: Float64Array.from(pixels),
          })

          const recording = new Recording(device)
          const pass = new Pass(recording, trained)
          const input = recording.pin('pixels', [frames, 3, sizes.imageSize, sizes.imageSize])
          const visual = connector.network.record(
            pass,
            weights,
            towerFeatures(pass, weights, tower.network, input),
          )
          const count = connector.network.visualTokens(featuresOf(tower.network, frames))
          t.same(visual.shape, [count, languageHidden])
          t.same(wanted.shape, [count, languageHidden])
          recording.pinned.add(visual)
          recording.segment('backward')
          const slopes = recording.pin('slopes', visual.shape)
          if (trained) pass.coefficients(visual, slopes)
          pass.backward()
          const compiled = await compile(device, recording, 'internvl')
          compiled.write(input, pixels)
          compiled.run(['main'])
          close(t, await compiled.read(visual), wanted.data, 1e-5)
          if (trained) {
            const outer = noise(count * languageHidden, 5)
            compiled.write(slopes, outer)
            compiled.run(['backward'])
            tape.backward(wanted, outer)
            for (const [name, { gradient }] of weights.byName) {
              const reference = matrices.get(name)?.gradient
              if (!gradient || !reference) throw new Error(name)
              // Softmax ignores what all keys share.
              if (name.endsWith('k_proj.bias')) continue
              close(t, await device.read(gradient), reference, 2e-5, name)
            }
          }
          compiled.free()
          weights.free()
        },
      )
})
