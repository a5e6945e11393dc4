import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Checkpoint, openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import type { Tokenizer } from '../../operators/model/checkpoint/tokenizer.ts'
import { renderConversation, renderPrompt, templates } from '../../operators/text/template.ts'
import { tokenize, tokenizeWithLabels } from '../../operators/text/tokenize.ts'
import type { Case } from './cases.ts'
import type { ExpectedJson } from './expected-json.ts'
import { familyConfig } from './family.ts'
import { type Given, greedyIds, type Quantities, quantities } from './quantities.ts'
import { type Random, randomOf } from './random.ts'
import { setEndOfText, writeRandomCheckpoint } from './random-checkpoint.ts'
import { type NamedTensor, writeTensors } from './write-tensors.ts'

/** Writes a random checkpoint with expected.json and expected.safetensors, as golden folders are laid out. */
export async function writeCase(folder: string, sizes: Case): Promise<void> {
  await writeRandomCheckpoint(folder, sizes)
  const random = randomOf(sizes.seed + 1000)
  const side = sizes.vision.image_size
  const frames = float32({ length: sizes.frames * 3 * side * side }, () => 2 * random.uniform() - 1)
  let checkpoint = await openCheckpoint(folder)
  const texts = textsOf(checkpoint.tokenizer)
  if (sizes.endAfter !== null) {
    const greedy = await greedyIds(checkpoint, frames, texts.prompt.ids, sizes.endAfter)
    await setEndOfText(folder, greedy[greedy.length - 1])
    checkpoint = await openCheckpoint(folder)
  }
  const { accuracy, format, ...group } = groupOf(sizes, checkpoint.config.eosIds[0], random)
  const policy = await nearby(checkpoint, random)
  const given: Given = {
    frames,
    prompt: texts.prompt.ids,
    plain: texts.plain.ids,
    sft: {
      ...texts.sft,
      steps: 3,
      adamw: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: sizes.wd, clip: 1 },
    },
    grpo: {
      ...group,
      policy,
      old: rows => rows.map(row => float32(row, value => value + 0.2 * random.normal())),
    },
    samplings: ['temp0.7', 'topk5', 'topp0.8', 't0.7k20p0.8'].map(name => `sampling.${name}`),
  }
  const found = await quantities(checkpoint, given)
  const tensors = tensorsOf(found, checkpoint)
  tensors.push({ name: 'frames', shape: [sizes.frames, 3, side, side], data: frames })
  for (const [name, data] of policy)
    tensors.push({ name: `grpo.policy.${name}`, shape: shapeOf(checkpoint, name), data })
  await writeTensors(join(folder, 'expected.safetensors'), tensors, 'F32')
  const json = jsonOf(sizes, texts, { ...given, accuracy, format }, found, checkpoint)
  await writeFile(join(folder, 'expected.json'), `${JSON.stringify(json, null, 1)}\n`)
}

function textsOf(tokenizer: Tokenizer): Pick<ExpectedJson, 'prompt' | 'plain'> & { sft: SftTexts } {
  const template = templates.qwen2_base
  const question =
    '<image>Where does it move?\nA. left\nB. up Think in <think> </think>, answer in <answer> </answer>.'
  const text = renderPrompt(template, question)
  const plain = renderPrompt(template, 'Is a square red?')
  // Short, so that a model which cuts its prompts still sees a part of the answer.
  const [asked, answer] = [
    '<image>Where?',
    '<think>The red square moves left, then it moves right.</think><answer>A</answer>',
  ]
  const conversation = renderConversation(template, [
    { from: 'human', value: asked },
    { from: 'gpt', value: answer },
  ])
  return {
    prompt: { question, text, ids: tokenize(tokenizer, text) },
    plain: { text: plain, ids: tokenize(tokenizer, plain) },
    sft: {
      question: asked,
      answer,
      text: conversation,
      ...tokenizeWithLabels(tokenizer, template, conversation, 'sft'),
    },
  }
}

type SftTexts = Pick<ExpectedJson['sft'], 'question' | 'answer' | 'text' | 'ids' | 'labels'>

/** Completions that never end, end at once, and in between; no token but the end of text repeats what ends them. */
function groupOf({ G, T, text }: Case, endId: number, random: Random) {
  const completions = Array.from({ length: G }, (_, i) => {
    const length = [T, 0, Math.floor(T / 2), T - 1][i % 4]
    return Array.from({ length: T }, (_, t) => {
      if (t >= length) return endId
      const id = Math.floor(random.uniform() * (text.vocab_size - 1))
      return id < endId ? id : id + 1
    })
  })
  const accuracy = completions.map((_, i) => (i + 1) % 2)
  const format = completions.map((_, i) => (i % 4 === 3 ? 0 : 0.5 + 0.5 * random.uniform()))
  const rewards = accuracy.map((right, i) => right + (2 * right - 1) * format[i] || -2)
  return {
    completions,
    accuracy,
    format,
    rewards,
    beta: 0.01,
    clipped: { beta: 0.04, clip_low: 0.2, clip_high: 0.28 },
  }
}

/** Weights of connector and language model a little off those of the checkpoint. */
async function nearby(checkpoint: Checkpoint, random: Random): Promise<Map<string, Float64Array>> {
  const policy = new Map<string, Float64Array>()
  for (const name of checkpoint.tensors.keys()) {
    if (name.startsWith('vision_tower.')) continue
    const values: number[] = []
    for await (const chunk of checkpoint.read(name)) values.push(...chunk)
    const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
    policy.set(
      name,
      float32(values, value => value + 0.03 * size * random.normal()),
    )
  }
  return policy
}

function tensorsOf({ tensors }: Quantities, checkpoint: Checkpoint): NamedTensor[] {
  return [...tensors].map(([name, { shape, data }]) => {
    if (name.startsWith('sft.grad.'))
      return { name, shape: shapeOf(checkpoint, name.slice('sft.grad.'.length)), data }
    if (!/^(sft\.step3|grpo\.grad)\./.test(name)) return { name, shape, data }
    const part = data.subarray(0, 256)
    return { name, shape: [part.length], data: part }
  })
}

function jsonOf(
  sizes: Case,
  { prompt, plain, sft }: ReturnType<typeof textsOf>,
  given: Given & Pick<ExpectedJson['grpo'], 'accuracy' | 'format'>,
  found: Quantities,
  { config }: Checkpoint,
): ExpectedJson {
  const { losses, loss_after, ...supervised } = found.sft
  const { clipped_token_mean, ...grouped } = found.grpo
  const { policy: _policy, old: _old, clipped, completions, ...group } = given.grpo
  const norms: Record<string, number> = {}
  for (const [name, { data }] of found.tensors) {
    if (/^(sft\.grad|sft\.step3|grpo\.grad)\./.test(name))
      norms[name] = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))
  }
  return {
    case: { ...sizes, num_queries_out: familyConfig(config).connector.queries, eos: config.eosIds[0] },
    prompt,
    greedy: found.greedy,
    plain,
    sft: { ...sft, ...supervised, adamw: { ...given.sft.adamw, losses, loss_after } },
    grpo: {
      completions,
      accuracy: given.accuracy,
      format: given.format,
      ...group,
      ...grouped,
      clipped_token_mean: { ...clipped, ...clipped_token_mean },
    },
    norms,
  }
}

/** Values as float32 files store them. */
function float32<T>(values: ArrayLike<T>, value: (from: T) => number): Float64Array {
  return Float64Array.from(Float32Array.from(values, value))
}

function shapeOf({ tensors }: Checkpoint, name: string): readonly number[] {
  return tensors.get(name)?.shape ?? []
}
