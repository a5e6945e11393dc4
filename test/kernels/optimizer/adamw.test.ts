import t from 'tap'
import {
  adamW,
  adamWReference,
  gradientNorm,
  stepScalars,
  sumOfSquares,
} from '../../../kernels/optimizer/adamw.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { close, given, noise, onEachFamily } from '../support.ts'

const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8]
const largest = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values))

await onEachFamily(t, async (device, t) => {
  for (const sizes of [[1], [5, 8], [1031, 516], [3, 1]] as const) {
    for (const maxGradientNorm of [0, 0.5, 1e6])
      await t.test(
        `updates of ${sizes.join(' and ')} weights, clipped at ${maxGradientNorm}, are those in float64`,
        async t => {
          const options = { beta1, beta2, epsilon, weightDecay: 0.1, maxGradientNorm }
          const partialsOfSlab = 3
          const recording = new Recording(device)
          const step = recording.pin('step', [8])
          const norm = recording.pin('norm', [3])
          const slabs = sizes.map((size, i) => ({
            parameters: given(device, [size], noise(size, i + 1)),
            gradients: recording.pin('gradients', [size]),
            first: given(device, [size], new Float32Array(size)),
            second: given(device, [size], new Float32Array(size)),
          }))
          const partials = recording.tensor('partials', [sizes.length * partialsOfSlab])
          slabs.forEach(({ gradients }, i) => {
            sumOfSquares(recording, {
              x: gradients,
              partials,
              first: i * partialsOfSlab,
              count: partialsOfSlab,
            })
          })
          gradientNorm(recording, { partials, count: sizes.length * partialsOfSlab, out: norm })
          for (const slab of slabs) adamW(recording, { ...slab, norm, step, beta1, beta2, epsilon })
          const compiled = await compile(device, recording, 'test')
          const wanted = sizes.map((size, i) => ({
            parameters: Float64Array.from(noise(size, i + 1)),
            first: new Float64Array(size),
            second: new Float64Array(size),
          }))
          const update = async (
            gradients: readonly Float32Array<ArrayBuffer>[],
            learningRate: number,
            at: number,
          ) => {
            compiled.write(step, stepScalars(options, at, learningRate))
            slabs.forEach((slab, i) => {
              compiled.write(slab.gradients, gradients[i])
            })
            compiled.run()
            return compiled.read(norm)
          }
          // One recording is replayed with another learning rate each time.
          for (const [i, learningRate] of [1e-3, 5e-3, 2e-2].entries()) {
            const gradients = sizes.map((size, j) => noise(size, 10 * i + j + 5, 3))
            const length = largest(gradients.flatMap(slab => [...slab]))
            const found = await update(gradients, learningRate, i + 1)
            close(t, found, [length, 1, 1], 1e-6, `norm of update ${i + 1}`)
            wanted.forEach((slab, j) => {
              adamWReference(slab, gradients[j], length, { ...options, learningRate }, i + 1)
            })
          }
          for (const [i, slab] of slabs.entries())
            close(t, await device.read(slab.parameters), wanted[i].parameters, 1e-6, `weights of slab ${i}`)

          for (const poison of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
            const before = await Promise.all(
              slabs.flatMap(s => [s.parameters, s.first, s.second].map(x => device.read(x))),
            )
            const gradients = sizes.map((size, j) => noise(size, j + 90))
            const last = gradients[gradients.length - 1]
            last[last.length - 1] = poison
            const found = await update(gradients, 1e-2, 4)
            t.equal(found[1], 0, `gradients with ${poison} may not be used`)
            const after = await Promise.all(
              slabs.flatMap(s => [s.parameters, s.first, s.second].map(x => device.read(x))),
            )
            t.strictSame(after, before, `${poison} in one slab leaves all slabs unchanged`)
          }
          compiled.free()
        },
      )
  }
})
