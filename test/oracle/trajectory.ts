import type { Checkpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { type AdamWOptions, adamW, gradientNorm } from './adamw.ts'
import { groupLoss } from './losses.ts'
import * as model from './model.ts'
import { groupLogProbabilities, labelLogProbabilities } from './quantities.ts'
import { type Matrix, Tape } from './tape.ts'

/** A conversation about a clip: normalised pixels (frames, channels, size, size), ids and labels. */
export interface Lesson {
  frames: Float64Array
  ids: readonly number[]
  labels: readonly number[]
}

/** A question about a clip with what was written and how it was judged. */
export interface Round {
  frames: Float64Array
  ids: readonly number[]
  completions: readonly (readonly number[])[]
  advantages: readonly number[]
}

/** How weights are changed: a warm-up from 0, then a cosine that falls to 0; only matrices decay. */
export interface Rule extends AdamWOptions {
  warmupRatio: number
  /** Of the whole schedule. */
  steps: number
}

export interface Trajectory {
  losses: number[]
  /** Before clipping. */
  gradientNorms: number[]
  /** Of the last step. */
  weights: ReadonlyMap<string, Matrix>
}

/**
 * One update after another on passes of conversations. `update` divides by all labelled tokens of the update; `batch`
 * by those of the pass and then by the number of passes.
 */
export async function supervisedTrajectory(
  checkpoint: Checkpoint,
  updates: readonly (readonly (readonly Lesson[])[])[],
  rule: Rule,
  divisor: 'update' | 'batch',
  isTrained = model.usuallyTrained,
): Promise<Trajectory> {
  const policy = await model.readModel(checkpoint, isTrained)
  return follow(checkpoint, policy, rule, updates, passes => {
    const learnt = passes.map(lessons =>
      lessons.map(lesson => {
        const tape = new Tape()
        const features = model.visionFeatures(policy, lesson.frames, tape)
        return { tape, logProbs: labelLogProbabilities(tape, policy, features, lesson) }
      }),
    )
    const tokens = learnt.map(pass => pass.reduce((sum, { logProbs }) => sum + logProbs.data.length, 0))
    const all = tokens.reduce((sum, count) => sum + count, 0)
    let loss = 0
    for (const [i, pass] of learnt.entries()) {
      const divideBy = divisor === 'update' ? all : tokens[i] * passes.length
      for (const { tape, logProbs } of pass) {
        loss -= logProbs.data.reduce((sum, value) => sum + value / divideBy, 0)
        tape.backward(logProbs, new Float64Array(logProbs.data.length).fill(-1 / divideBy))
      }
    }
    return loss
  })
}

/** Updates on batches of groups, each batch used `repeats` times; the reference is the checkpoint. */
export async function groupTrajectory(
  checkpoint: Checkpoint,
  batches: readonly (readonly Round[])[],
  rule: Rule,
  loss: Parameters<typeof groupLoss>[1],
  repeats: number,
): Promise<Trajectory> {
  const policy = await model.readModel(checkpoint, model.usuallyTrained)
  const reference = await model.readModel(checkpoint)
  const rowsOf = (of: model.Model, { frames, ids, completions }: Round) => {
    const tape = new Tape()
    const logProbs = groupLogProbabilities(tape, of, model.visionFeatures(of, frames), ids, completions)
    return { tape, logProbs, rows: split(logProbs.data, completions) }
  }
  const updates = batches.flatMap(batch => {
    // What the first update on a batch finds is the old policy of the others.
    const shared = { batch, old: [] as Float64Array[][] }
    return Array.from({ length: repeats }, () => shared)
  })
  return follow(checkpoint, policy, rule, updates, shared => {
    const found = shared.batch.map(round => rowsOf(policy, round))
    const current = found.flatMap(({ rows }) => rows)
    if (shared.old.length === 0) shared.old.push(current.map(row => row.slice()))
    const result = groupLoss(
      {
        policy: current,
        reference: shared.batch.flatMap(round => rowsOf(reference, round).rows),
        old: shared.old[0],
        mask: current.map(row => row.map(() => 1)),
        advantages: shared.batch.flatMap(({ advantages }) => advantages),
      },
      loss,
    )
    let first = 0
    for (const { tape, logProbs, rows } of found) {
      const derivative = result.derivative.slice(first, first + rows.length)
      first += rows.length
      tape.backward(
        logProbs,
        derivative.flatMap(row => [...row]),
      )
    }
    return result.loss
  })
}

/** Takes a step after each update, whose loss and gradients `learn` makes. */
function follow<Update>(
  checkpoint: Checkpoint,
  policy: model.Model,
  rule: Rule,
  updates: readonly Update[],
  learn: (update: Update) => number,
): Trajectory {
  const trained = [...policy.weights].filter(([, { gradient }]) => gradient)
  const parameters = trained.map(([, parameter]) => parameter)
  const matrices = new Set(
    trained.flatMap(([name, parameter]) =>
      (checkpoint.tensors.get(name)?.shape.length ?? 0) > 1 ? [parameter] : [],
    ),
  )
  const step = adamW(parameters, rule, parameter => matrices.has(parameter))
  const [losses, gradientNorms]: number[][] = [[], []]
  for (const [done, update] of updates.entries()) {
    for (const { gradient } of parameters) gradient?.fill(0)
    losses.push(learn(update))
    gradientNorms.push(gradientNorm(parameters))
    step(rateAt(done, rule))
  }
  return { losses, gradientNorms, weights: new Map(trained) }
}

/** The rate of the update that follows `done` others. */
function rateAt(done: number, { lr, warmupRatio, steps }: Rule): number {
  const warmup = Math.ceil(warmupRatio * steps)
  if (done < warmup) return (lr * done) / warmup
  return (lr / 2) * (1 + Math.cos((Math.PI * (done - warmup)) / (steps - warmup)))
}

function split(values: Float64Array, completions: Round['completions']): Float64Array[] {
  let end = 0
  return completions.map(({ length }) => {
    end += length
    return values.subarray(end - length, end)
  })
}
