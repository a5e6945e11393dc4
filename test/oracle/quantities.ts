import type { Checkpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { type AdamWOptions, adamW, gradientNorm } from './adamw.ts'
import { advantagesOf, completionMask, type Group, groupLoss } from './losses.ts'
import * as model from './model.ts'
import * as op from './operations.ts'
import { sampledProbabilities } from './sampling.ts'
import { type Matrix, Tape } from './tape.ts'

/** What the expected numbers of a checkpoint folder are computed from. */
export interface Given {
  /** Normalised (frames, channels, size, size). */
  frames: Float64Array
  /** Token ids. */
  prompt: readonly number[]
  plain: readonly number[]
  sft: { ids: readonly number[]; labels: readonly number[]; steps: number; adamw: AdamWOptions }
  grpo: GroupGiven
  /** Names of the samplings, which say temperature, top-k and top-p. */
  samplings: readonly string[]
}

export interface GroupGiven {
  /** All of one length, padded with the end of text. */
  completions: readonly (readonly number[])[]
  rewards: readonly number[]
  beta: number
  clipped: { beta: number; clip_low: number; clip_high: number }
  /** The policy's weights; the reference is the checkpoint. */
  policy: ReadonlyMap<string, Float64Array>
  /** Log-probabilities of the policy that wrote the completions, from those of the policy. */
  old: (policy: readonly Float64Array[]) => readonly ArrayLike<number>[]
}

/** Tensors by their names in expected.safetensors, and the computed fields of expected.json. */
export interface Quantities {
  tensors: Map<string, { shape: readonly number[]; data: Float64Array }>
  greedy: number[]
  sft: { loss: number; grad_norm: number; losses: number[]; loss_after: number }
  grpo: Record<'reward_std' | 'loss' | 'kl' | 'completion_length' | 'grad_norm', number> & {
    advantages: number[]
    clipped_token_mean: Record<'loss' | 'grad_norm' | 'clip_ratio', number>
  }
}

type Tensors = Quantities['tensors']

/** Ids of greedy decoding after a prompt, about frames where it has a place for them; `limit` at most. */
export async function greedyIds(
  checkpoint: Checkpoint,
  frames: Float64Array | null,
  prompt: readonly number[],
  limit: number,
): Promise<number[]> {
  const reference = await model.readModel(checkpoint)
  const tape = new Tape()
  const visual = frames && model.connector(tape, reference, model.visionFeatures(reference, frames))
  return greedily(reference, model.splice(tape, reference, prompt, visual), limit).ids
}

/** What the model expects after a prompt of text alone and the ids that followed it. */
export function nextLogits(
  reference: model.Model,
  prompt: readonly number[],
  after: readonly number[],
): Float64Array {
  const tape = new Tape()
  const embeddings = model.splice(tape, reference, [...prompt, ...after], null)
  return logitsOf(tape, reference, embeddings).data.slice(-reference.config.language.vocabulary)
}

/** Computes everything that golden folders hold, in float64. */
export async function quantities(checkpoint: Checkpoint, given: Given): Promise<Quantities> {
  const tensors: Tensors = new Map()
  const reference = await model.readModel(checkpoint)
  const { vision } = reference.config
  const frameCount = given.frames.length / (vision.channels * vision.imageSize ** 2)
  const features = model.visionFeatures(reference, given.frames)
  const featureShape = [frameCount, features.shape[0] / frameCount, vision.hidden]
  tensors.set('vision.features', { shape: featureShape, data: features.data })
  const greedy = promptQuantities(tensors, reference, features, given)
  const sft = supervised(
    tensors,
    await model.readModel(checkpoint, model.usuallyTrained),
    features,
    given.sft,
  )
  const policy = await model.readModel(checkpoint, model.usuallyTrained)
  for (const [name, values] of given.grpo.policy) policy.weights.get(name)?.data.set(values)
  const grpo = grouped(tensors, policy, reference, features, given)
  return { tensors, greedy, sft, grpo }
}

function promptQuantities(
  tensors: Tensors,
  reference: model.Model,
  features: Matrix,
  { prompt, plain, samplings }: Given,
): number[] {
  const keep = (name: string, matrix: Matrix): void => {
    tensors.set(name, matrix)
  }
  const { language, connector } = reference.config
  const tape = new Tape()
  const visual = model.connector(tape, reference, features)
  keep('connector.out', visual)
  keep('connector.positional_table', model.positionalTable(connector.queries, language.hidden))
  const embeddings = model.splice(tape, reference, prompt, visual)
  keep('prompt.embeds', embeddings)
  const all = logitsOf(tape, reference, embeddings)
  keep('prompt.logits', all)
  keep('plain.logits', logitsOf(tape, reference, model.splice(tape, reference, plain, null)))
  const last = all.data.subarray(-language.vocabulary)
  for (const name of samplings)
    tensors.set(name, { shape: [last.length], data: sampledProbabilities(last, name) })
  const { ids, logits } = greedily(reference, embeddings, 24)
  keep('greedy.logits', logits)
  return ids
}

/** Up to `limit` ids after the prompt, the whole sequence computed again for each. */
function greedily(reference: model.Model, prompt: Matrix, limit: number) {
  const ids: number[] = []
  const rows: Matrix[] = []
  const tape = new Tape()
  while (ids.length < limit && !reference.config.eosIds.includes(ids[ids.length - 1])) {
    const hidden = model.languageModel(tape, reference, model.extend(tape, reference, prompt, ids))
    const row = model.logits(tape, reference, op.sliceRows(tape, hidden, hidden.shape[0] - 1, 1))
    ids.push(row.data.indexOf(row.data.reduce((a, b) => Math.max(a, b))))
    rows.push(row)
  }
  return { ids, logits: op.concatRows(tape, rows) }
}

function logitsOf(tape: Tape, reference: model.Model, embeddings: Matrix): Matrix {
  return model.logits(tape, reference, model.languageModel(tape, reference, embeddings))
}

function supervised(
  tensors: Tensors,
  policy: model.Model,
  features: Matrix,
  { ids, labels, steps, adamw }: Given['sft'],
): Quantities['sft'] {
  const trained = trainedOf(policy)
  const update = adamW([...trained.values()], adamw)
  const learn = (): number => {
    clear(trained)
    const tape = new Tape()
    const logProbs = labelLogProbabilities(tape, policy, features, { ids, labels })
    const { length } = logProbs.data
    tape.backward(logProbs, new Float64Array(length).fill(-1 / length))
    return -logProbs.data.reduce((sum, value) => sum + value, 0) / length
  }
  const loss = learn()
  const grad_norm = gradientNorm(trained.values())
  keepGradients(tensors, 'sft.grad.', trained)
  const losses = [loss]
  for (let step = 1; step < steps; step++) {
    update()
    losses.push(learn())
  }
  update()
  for (const [name, { data }] of trained) tensors.set(`sft.step3.${name}`, flat(data.slice()))
  return { loss, grad_norm, losses, loss_after: learn() }
}

/** Of the labels of a conversation that the longest prompt leaves, in one row. */
export function labelLogProbabilities(
  tape: Tape,
  policy: model.Model,
  features: Matrix,
  { ids, labels }: Pick<Given['sft'], 'ids' | 'labels'>,
): Matrix {
  const visual = model.connector(tape, policy, features)
  const targets = ids.flatMap((id, i) =>
    id === -200 ? Array.from({ length: visual.shape[0] }, () => -100) : [labels[i]],
  )
  const hidden = model.languageModel(tape, policy, model.splice(tape, policy, ids, visual))
  const learnt = targets.flatMap((target, i) => (target < 0 || i >= hidden.shape[0] ? [] : [i]))
  const before = op.gatherRows(
    tape,
    hidden,
    learnt.map(i => i - 1),
  )
  return op.logProbabilities(
    tape,
    model.logits(tape, policy, before),
    learnt.map(i => targets[i]),
  )
}

function grouped(
  tensors: Tensors,
  policy: model.Model,
  reference: model.Model,
  features: Matrix,
  { prompt, grpo }: Given,
): Quantities['grpo'] {
  const { completions } = grpo
  const { advantages, standardDeviation } = advantagesOf(grpo.rewards)
  const mask = completions.map(row => completionMask(row, policy.config.eosIds[0]))
  const tape = new Tape()
  const logProbs = groupLogProbabilities(tape, policy, features, prompt, completions)
  const before = groupLogProbabilities(new Tape(), reference, features, prompt, completions)
  const [current, ref] = [rowsOf(logProbs, completions.length), rowsOf(before, completions.length)]
  const old = grpo.old(current)
  const group: Group = { policy: current, reference: ref, old: null, mask, advantages }
  const trained = trainedOf(policy)
  const norm = (derivative: readonly Float64Array[]): number => {
    clear(trained)
    tape.backward(
      logProbs,
      derivative.flatMap(row => [...row]),
    )
    return gradientNorm(trained.values())
  }
  const { clip_low, clip_high, beta } = grpo.clipped
  const clipped = groupLoss({ ...group, old }, { beta, clip: [clip_low, clip_high] })
  const clippedNorm = norm(clipped.derivative)
  const published = groupLoss(group, { beta: grpo.beta, clip: null })
  const publishedNorm = norm(published.derivative)
  keepGradients(tensors, 'grpo.grad.', trained)
  const perToken = {
    logps: current,
    ref_logps: ref,
    old_logps: old,
    per_token_kl: published.perTokenKl,
    mask,
  }
  for (const [name, rows] of Object.entries(perToken))
    tensors.set(`grpo.${name}`, {
      shape: [rows.length, rows[0].length],
      data: Float64Array.from(rows.flatMap(row => Array.from(row))),
    })
  return {
    advantages,
    reward_std: standardDeviation,
    loss: published.loss,
    kl: published.kl,
    completion_length: published.completionLength,
    grad_norm: publishedNorm,
    clipped_token_mean: { loss: clipped.loss, grad_norm: clippedNorm, clip_ratio: clipped.clipRatio },
  }
}

/** One full row of prompt, completion and padding after another through the language model, as published. */
export function groupLogProbabilities(
  tape: Tape,
  policy: model.Model,
  features: Matrix | null,
  prompt: readonly number[],
  completions: readonly (readonly number[])[],
): Matrix {
  const visual = features && model.connector(tape, policy, features)
  const start = model.splice(tape, policy, prompt, visual)
  const rows = completions.map(completion => {
    const hidden = model.languageModel(tape, policy, model.extend(tape, policy, start, completion))
    const predicting = op.sliceRows(tape, hidden, start.shape[0] - 1, completion.length)
    return op.logProbabilities(tape, model.logits(tape, policy, predicting), completion)
  })
  return op.concatRows(tape, rows)
}

function trainedOf(policy: model.Model): Map<string, Matrix> {
  return new Map([...policy.weights].filter(([, { gradient }]) => gradient))
}

function clear(trained: ReadonlyMap<string, Matrix>): void {
  for (const { gradient } of trained.values()) gradient?.fill(0)
}

function keepGradients(tensors: Tensors, prefix: string, trained: ReadonlyMap<string, Matrix>): void {
  for (const [name, { gradient }] of trained) if (gradient) tensors.set(prefix + name, flat(gradient.slice()))
}

/** The whole of a parameter as one row; files take its shape from elsewhere, or keep a part of it. */
function flat(data: Float64Array): { shape: readonly number[]; data: Float64Array } {
  return { shape: [data.length], data }
}

function rowsOf({ data }: Matrix, count: number): Float64Array[] {
  const width = data.length / count
  return Array.from({ length: count }, (_, i) => data.subarray(i * width, (i + 1) * width))
}
