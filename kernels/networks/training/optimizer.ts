import { storageOf } from '../../device/storage-of.ts'
import type { Tensor } from '../../device/tensor.ts'
import type { Parameter } from '../../layers/pass.ts'
import { adamW, decay, gradientNorm, stepScalars, sumOfSquares } from '../../optimizer/adamw.ts'
import { adjustScale, type LossScale } from '../../optimizer/loss-scale.ts'
import { compile } from '../../plan/compile.ts'
import { Recording } from '../../plan/recording.ts'
import type { VideoModel } from '../video-model.ts'

export interface AdamWOptions {
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  /** The weights that decay: all, or only the matrices, so neither norms nor biases. By default all. */
  decayed?: 'all' | 'matrices'
  /** Gradients with a larger norm are scaled down to this norm; 0 never scales. */
  maxGradientNorm: number
  /** With products in float16, the factor of the loss in the first update. */
  lossScale?: number
  /** After this many updates without overflow the loss scale doubles. */
  lossScaleGrowth?: number
}

export interface Update {
  /** Before clipping. */
  gradientNorm: number
  /** False if the gradients were not finite; the weights are then unchanged. */
  applied: boolean
  /** Only with products in float16. */
  scaling?: {
    /** The factor of the loss. */
    scale: number
    /** True if the update was skipped, and the next one has a smaller scale that may avoid the overflow. */
    skipped: boolean
    /** Updates skipped so far. */
    skippedSteps: number
    /** Values that the passes since the last update clamped to float16's range. */
    cuts: number
  }
}

/** AdamW (Loshchilov & Hutter, arXiv:1711.05101) over the trained weights of a model, computed as by torch.optim.AdamW. */
export interface Optimizer {
  /** Updates done so far. A training that is resumed sets it, and writes the moments. */
  steps: number
  /** The running means of a trained weight's gradients and of their squares, in its shape. */
  moments(of: Parameter): { first: Tensor; second: Tensor }
  clearGradients(): void
  step(learningRate: number): Promise<Update>
  free(): void
}

/** Partial sums of squares for each slab of gradients. */
const partialsOfSlab = 1024

export async function adamWOptimizer(model: VideoModel, options: AdamWOptions): Promise<Optimizer> {
  const { device, weights } = model
  const recording = new Recording(device)
  const report = recording.pin('report of an update', [8])
  const { lossScale: scale } = weights
  const { lossScale: firstScale = 1, lossScaleGrowth: growth = 0 } = options
  if (scale) device.write(scale.state, Float32Array.of(Math.floor(Math.log2(firstScale)), 0, 0, 0))
  const step = recording.pin('step', [8])
  const moments = weights.slabs.map(({ values }) => {
    return {
      first: device.tensor('first moments', values.shape),
      second: device.tensor('second moments', values.shape),
    }
  })
  recording.segment('clear')
  for (const { gradients } of weights.slabs) recording.fill(gradients)
  recording.segment('update')
  recordNorm(
    recording,
    weights.slabs.map(slab => slab.gradients),
    report,
    scale,
  )
  const decayApart = options.decayed === 'matrices'
  for (const { value, shape, gradient } of weights.byName.values())
    if (decayApart && gradient && shape.length > 1)
      decay(recording, { parameters: value, norm: report, step })
  weights.slabs.forEach(({ values: parameters, gradients }, i) => {
    const { beta1, beta2, epsilon } = options
    adamW(recording, { parameters, gradients, ...moments[i], norm: report, step, beta1, beta2, epsilon })
  })
  if (scale) adjustScale(recording, { scale, report, growth })
  const compiled = await compile(device, recording, 'optimizer')
  const optimizer: Optimizer = {
    steps: 0,
    moments({ name, value }) {
      const { buffer, offsetBytes } = storageOf(value)
      const slab = weights.slabs.findIndex(({ values }) => values.storage?.buffer === buffer)
      const means = moments[slab]
      if (!means) throw new Error(`the optimizer does not train ${name}`)
      const at = (label: string, flat: Required<Tensor>): Tensor => {
        return { ...value, label: `${label} of ${name}`, storage: { ...flat.storage, offsetBytes } }
      }
      return { first: at('first moments', means.first), second: at('second moments', means.second) }
    },
    clearGradients: () => compiled.run(['clear']),
    async step(learningRate) {
      compiled.write(step, stepScalars({ ...options, decayApart }, optimizer.steps + 1, learningRate))
      compiled.run(['update'])
      const update = updateOf(await compiled.read(report), scale !== undefined, growth)
      if (update.applied) optimizer.steps++
      return update
    },
    free() {
      compiled.free()
      for (const { first, second } of moments) for (const tensor of [first, second]) device.freeTensor(tensor)
    },
  }
  return optimizer
}

function recordNorm(
  recording: Recording,
  gradients: readonly Tensor[],
  out: Tensor,
  scale: LossScale | undefined,
): void {
  const partials = recording.tensor('partial sums', [gradients.length * partialsOfSlab])
  for (const [i, x] of gradients.entries())
    sumOfSquares(recording, { x, partials, first: i * partialsOfSlab, count: partialsOfSlab })
  gradientNorm(recording, { partials, count: gradients.length * partialsOfSlab, out, scale })
}

function updateOf(report: Float32Array, isScaled: boolean, growth: number): Update {
  const [gradientNorm, used, , scale, cuts, skippedSteps] = report
  const applied = used === 1
  if (!isScaled) return { gradientNorm, applied }
  const skipped = !applied && scale > 1 && growth > 0
  return { gradientNorm, applied, scaling: { scale, skipped, skippedSteps, cuts } }
}
