import type { Config, Fields, Finding } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { lookAtAddress } from '../address-fault.ts'
import type { Posted } from '../post.ts'
import { asked } from './asking.ts'
import { JudgeError } from './judge-error.ts'

/** Config of an endpoint as OpenAI defines it. */
export const chatFields = {
  url: {
    type: 'string',
    default: '',
    description:
      'The endpoint, with or without `/chat/completions` at its end; empty for https://api.openai.com/v1.',
  },
  model: { type: 'string', description: 'Name of the model that judges.' },
  key: {
    type: 'string',
    default: '',
    description: 'The key, from a param with `env`; empty where none is needed.',
  },
  request: {
    type: 'object',
    default: { temperature: 0 },
    description: 'Further fields of each request.',
  },
} as const satisfies Fields

export interface ChatMessage {
  role: string
  content: string
}

interface ChatOptions {
  /** Start of messages about faults. */
  source: string
  signal: AbortSignal
  /** Longest time in which nothing of a response arrives. */
  deadlineSeconds: number
}

/** A function that sends messages to the endpoint and returns the whole text of its answer. */
export function chatWith({ url, model, key, request }: Config<typeof chatFields>) {
  const address = addressOf(url || openAi)
  const headers = key === '' ? {} : { authorization: `Bearer ${key}` }
  return async (messages: readonly ChatMessage[], { source, signal, deadlineSeconds }: ChatOptions) => {
    const from = `${source}: ${hostOf(address)}`
    const body = JSON.stringify({ ...request, model, messages, stream: true })
    const options = { headers, signal, timeoutSeconds: deadlineSeconds, limits: 'silence' as const }
    return textIn(await asked(address, body, { ...options, source: from, hidden: key }), from)
  }
}

/** What `flow check` finds wrong with the config of an endpoint. That of OpenAI is not asked whether it is there. */
export async function chatFaults(
  { url, model }: { url: string; model: string },
  known: { isBrief?: boolean },
): Promise<Finding[]> {
  if (model !== '') return url === '' ? [] : lookAtAddress(url, known)
  const rule = 'must name the model that judges'
  return [{ field: 'model', rule, lines: [], code: 'bad-judge', remedy: 'name it: --set model=NAME' }]
}

const openAi = 'https://api.openai.com/v1'

function addressOf(url: string): string {
  if (!URL.canParse(url))
    throw new JudgeError(
      'bad-judge',
      `url: must be an address with http:// or https://, found "${url.slice(0, 100)}"`,
    )
  const address = new URL(url)
  if (!/\/chat\/completions\/?$/.test(address.pathname))
    address.pathname = `${address.pathname.replace(/\/+$/, '')}/chat/completions`
  return address.href
}

/** An address may hold a key in its other parts. */
const hostOf = (address: string): string => new URL(address).host

/** The text of the model in a response; a response without a whole one is an error. */
function textIn(posted: Posted, source: string): string {
  const { content, isWhole } = posted.text.trimStart().startsWith('{')
    ? messageIn(posted.text)
    : streamedIn(posted.text)
  if (isWhole) return content
  const shown = posted.text.trim().slice(0, 200) || 'nothing'
  throw new JudgeError('unanswered', `${source}: must answer with choices and a message, got ${shown}`)
}

interface Said {
  content: string
  isWhole: boolean
}

const nothing: Said = { content: '', isWhole: false }

function messageIn(text: string): Said {
  const choice = choiceIn(text)
  if (!choice || !isObject(choice.message)) return nothing
  const content = contentOf(choice.message.content)
  return content === undefined ? nothing : { content, isWhole: true }
}

/** Server-sent events: each holds a piece; the last says why the text ends, or is `[DONE]`. */
function streamedIn(text: string): Said {
  let content = ''
  let isWhole = false
  for (const line of text.split(/\r\n|\n|\r/)) {
    const data = /^data: ?(.*)$/.exec(line)?.[1]?.trim()
    if (data === undefined || data === '') continue
    if (data === '[DONE]') return { content, isWhole: true }
    const choice = choiceIn(data)
    if (!choice) {
      if (isFrame(data)) continue
      return nothing
    }
    if (isObject(choice.delta)) content += contentOf(choice.delta.content) ?? ''
    if (typeof choice.finish_reason === 'string') isWhole = true
  }
  return { content, isWhole }
}

/** An event without choices, e.g. one with the tokens used; an error is none. */
function isFrame(data: string): boolean {
  const value = parsed(data)
  return isObject(value) && !('error' in value)
}

function choiceIn(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parsed(text)
  const choices = isObject(value) && Array.isArray(value.choices) ? value.choices : []
  const choice: unknown = choices[0]
  return isObject(choice) ? choice : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Text, or parts with text. */
function contentOf(content: unknown): string | undefined {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return undefined
  return content.map(part => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('')
}
