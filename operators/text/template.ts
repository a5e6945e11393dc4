import type { Field } from '../../engine/operator.ts'
import type { Message } from '../kinds.ts'
import { strip } from './python.ts'
import { qwen3VlFrames, qwen3VlMoments } from './qwen3-vl-frames.ts'
import { type ShownClip, smolVlmFrames } from './smolvlm-frames.ts'
import { TextError } from './text-error.ts'

/** How a conversation becomes text; the message takes the place of `{content}`. */
export interface Template {
  readonly system: string
  /** Wraps a question that had `<image>` in it. */
  readonly image: string
  readonly user: string
  readonly assistant: string
  /** Text between a question and its answer; labels are cut at it. */
  readonly separator: string
  /** Ends an answer; empty when the model does not learn to end. */
  readonly endOfText: string
  /** The words that replace `<image>`: they hold one `<image>` for each frame or moment. Without `frames`, `<image>` means the whole clip. */
  readonly frames?: (clip: ShownClip) => string
  /** Most tokens that these words take for each frame, by the published tokenizer and of a clip shorter than 100 minutes. */
  readonly frameWords: number
}

export type TemplateName = keyof typeof templates

/** InternVL3's and Qwen-VL's, in the form of ChatML. */
const chatMl = {
  image: '<image>{content}',
  user: '<|im_start|>user\n{content}<|im_end|>\n',
  assistant: '<|im_start|>assistant\n{content}<|im_end|>\n',
  separator: '<|im_end|>\n<|im_start|>assistant\n',
  endOfText: '<|im_end|>',
  frames: internVlFrames,
  frameWords: 9,
}

export const templates = {
  qwen2_base: {
    system:
      'A chat between a curious user and an artificial intelligence assistant. ' +
      "The assistant gives helpful, detailed, and polite answers to the user's questions. ",
    image: '<image>\n{content}',
    user: 'USER: {content} ',
    assistant: 'ASSISTANT: {content}<|endoftext|>',
    separator: ' ASSISTANT: ',
    endOfText: '<|endoftext|>',
    frameWords: 0,
  },
  pretrain: {
    system: '',
    image: '',
    // The question's text is discarded: a caption is learnt from the frames alone.
    user: '<image>',
    assistant: '{content}\n',
    separator: '',
    endOfText: '',
    frameWords: 0,
  },
  smolvlm: {
    system: '<|im_start|>',
    image: '<image>{content}',
    user: 'User: {content}<end_of_utterance>\n',
    assistant: 'Assistant: {content}<end_of_utterance>\n',
    separator: '<end_of_utterance>\nAssistant:',
    endOfText: '<end_of_utterance>',
    frames: smolVlmFrames,
    frameWords: 13,
  },
  internvl: { ...chatMl, system: '' },
  qwen3vl: { ...chatMl, system: '', frames: qwen3VlFrames, frameWords: 7 },
  qwen3vl_4: { ...chatMl, system: '', frames: qwen3VlMoments, frameWords: 6 },
  qwen25vl: {
    ...chatMl,
    system: '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n',
    // All frames are one place: their times are positions, not words.
    frames: () => '<|vision_start|><image><|vision_end|>',
    frameWords: 0,
  },
  // The words that the code beside its authors' layout begins with.
  internvl_chat: {
    ...chatMl,
    system:
      '<|im_start|>system\n你是书生·万象，英文名是InternVL，' +
      '是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。<|im_end|>\n',
  },
} as const satisfies Record<string, Template>

/** Config field of operators that render conversations. */
export const templateField = {
  type: 'string',
  enum: [
    'model',
    'qwen2_base',
    'pretrain',
    'smolvlm',
    'internvl',
    'internvl_chat',
    'qwen25vl',
    'qwen3vl',
    'qwen3vl_4',
  ],
  default: 'model',
  description:
    'Conversation template. model: the one that the model was trained with. qwen3vl_4: without the tokens that transformers 5 leaves around all frames. `pretrain` leaves out the question, to learn captions from the frames alone.',
} as const satisfies Field

/** The template that a config field names, for a model. */
export const templateFor = (
  { config }: { config: { template: TemplateName } },
  name: TemplateName | 'model',
): Template => templates[name === 'model' ? config.template : name]

export const imageMarker = '<image>'

/** A whole conversation as text: the system text once, then each question with its answer. */
export function renderConversation(
  template: Template,
  messages: readonly Message[],
  clip?: ShownClip,
): string {
  const rounds = roundsOf(messages).map(([question, answer]) => {
    return renderQuestion(template, question) + fill(template.assistant, answer)
  })
  return withFrames(template, template.system + rounds.join(''), clip)
}

/** A question without its answer: the text ends with the assistant's cue, its form before the answer, without a last space. */
export function renderPrompt(template: Template, question: string, clip?: ShownClip): string {
  const cue = template.assistant.replace(/ ?\{content\}.*/s, '')
  const text = template.system + renderQuestion(template, question) + cue
  return withFrames(template, text, clip)
}

/** The number of `<image>` markers in the words of a clip. */
export const placesOf = ({ frames }: Template, clip: ShownClip): number =>
  frames ? frames(clip).split(imageMarker).length - 1 : 1

/** The frames of a clip in InternVL's words, counted from 1 (InternVLProcessor of transformers). */
function internVlFrames({ seconds }: ShownClip): string {
  return seconds.map((_, i) => `Frame${i + 1}: <img><image></img>\n`).join('')
}

const withFrames = ({ frames }: Template, text: string, clip: ShownClip | undefined): string =>
  frames && clip ? text.replace(imageMarker, () => frames(clip)) : text

/** Frames come first in a question, wherever `<image>` is written in it. */
function renderQuestion(template: Template, question: string): string {
  if (!question.includes(imageMarker)) return fill(template.user, question)
  const words = strip(question.replaceAll(imageMarker, ''))
  return fill(template.user, strip(fill(template.image, words)))
}

/**
 * Questions with their answers. As in the published code only the first message's role counts: it is skipped unless it
 * is human or user; the others are questions and answers in turn, whatever their roles are.
 */
function roundsOf(messages: readonly Message[]): [question: string, answer: string][] {
  const first = messages[0]?.from
  const turns = first === 'human' || first === 'user' ? messages : messages.slice(1)
  const rounds: [string, string][] = []
  for (let i = 0; i + 1 < turns.length; i += 2)
    rounds.push([turns[i]?.value ?? '', turns[i + 1]?.value ?? ''])
  if (turns.length > 0 && turns.length % 2 === 0) return rounds
  const roles = messages.map(message => message.from).join(', ')
  throw new TextError(
    'unbalanced-conversation',
    `a conversation must have an answer for every question, got the roles (${roles})` +
      (turns.length < messages.length ? '; a first message that is not from human or user is skipped' : ''),
  )
}

/** The replacement is a function because `$` has a meaning in a replacement string. */
const fill = (form: string, content: string): string => form.replace('{content}', () => content)
