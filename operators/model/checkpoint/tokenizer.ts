import { Tokenizer as Engine } from '@huggingface/tokenizers'
import { threads } from '../../../engine/platform/threads.ts'
import { codeOf, messageOf } from '../../../engine/shared/errors.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { processorClock } from '../../../engine/shared/work-time.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'

/** Text to token ids and back, as the checkpoint's tokenizer files say. */
export interface Tokenizer {
  /** Ids of the text alone: nothing is added before or after it. Text of a special token becomes its id. */
  encode(text: string): number[]
  /** Text of the ids; special tokens and ids that the vocabulary does not hold are left out, bad UTF-8 becomes U+FFFD. */
  decode(ids: readonly number[]): string
  idOf(token: string): number | undefined
  /** The id that `tokenizer_config.json` names as the end of a text. */
  readonly eosId: number | undefined
  /** The token with the largest id. */
  readonly last: { readonly token: string; readonly id: number }
}

/** Opens the tokenizer of a checkpoint's folder. */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  const { path, definition, config } = await readTokenizerFiles(folder)
  refuseIgnored(path, definition, config)
  try {
    return tokenizerOf(new Engine(definition, config), config, lastToken(definition))
  } catch (cause) {
    const reason = messageOf(cause)
    throw new CheckpointError({
      code: 'bad-config',
      message: `${path}: cannot be used as a tokenizer: ${reason}`,
    })
  }
}

/** Refuses what changes ids in transformers and is not done here. */
function refuseIgnored(path: string, definition: Record<string, unknown>, config: Record<string, unknown>) {
  const refuse = (message: string): never => {
    throw new CheckpointError({ code: 'unsupported-model', message })
  }
  const spaced = 'add_prefix_space'
  if (config[spaced] === true && !JSON.stringify(definition.pre_tokenizer ?? {}).includes(`"${spaced}":true`))
    refuse(`${path}: pre_tokenizer must have ${spaced} as tokenizer_config.json has it: true`)
  const added = addedByPostProcessor(definition.post_processor)
  if (added.length > 0)
    refuse(
      `${path}: post_processor adds ${added.join(', ')} to every text; only tokenizers that add nothing are supported`,
    )
}

/** The special tokens that a post-processor of `tokenizer.json` puts around a text. */
function addedByPostProcessor(found: unknown): string[] {
  if (!isObject(found)) return []
  if (Array.isArray(found.processors)) return found.processors.flatMap(addedByPostProcessor)
  if (Array.isArray(found.cls)) return [String(found.cls[0])]
  const single = Array.isArray(found.single) ? found.single : []
  return single.flatMap(piece =>
    isObject(piece) && isObject(piece.SpecialToken) ? [String(piece.SpecialToken.id)] : [],
  )
}

function tokenizerOf(engine: Engine, config: Record<string, unknown>, last: Tokenizer['last']): Tokenizer {
  const special = new Set<number>()
  for (const [id, token] of engine.get_added_tokens_decoder()) if (token.special) special.add(id)
  const cleanUp = config.clean_up_tokenization_spaces === true
  const eosToken = contentOf(config.eos_token)
  return {
    encode: text => withDeadline(() => engine.encode(text, { add_special_tokens: false }).ids),
    decode(ids) {
      // The library fails on an empty list and on ids past its vocabulary, which a padded embedding can sample.
      const known = ids.filter(id => !special.has(id) && engine.id_to_token(id) !== undefined)
      return known.length ? engine.decode(known, { clean_up_tokenization_spaces: cleanUp }) : ''
    },
    idOf: token => engine.token_to_id(token),
    last,
    eosId: eosToken === undefined ? undefined : engine.token_to_id(eosToken),
  }
}

/**
 * A pattern of a tokenizer can try the parts of a text in more ways than anyone waits for: then this throws. On a busy
 * machine the work begins anew, until it has had its time.
 */
function withDeadline<T>(work: () => T, seconds = deadlineSeconds): T {
  const worked = processorClock()
  try {
    return threads.within(seconds * 1000, work)
  } catch (error) {
    if (codeOf(error) !== 'late') throw error
    if (worked() < deadlineSeconds * 0.9) return withDeadline(work, 2 * seconds)
    const message = `tokenizer: must encode a text within ${deadlineSeconds} s; its pattern needs longer`
    throw new CheckpointError({ code: 'bad-config', message })
  }
}

const deadlineSeconds = 10

/** Throws where an id is no whole number of at least 0. */
function lastToken({ model, added_tokens: added }: Record<string, unknown>): Tokenizer['last'] {
  const vocab = isObject(model) && isObject(model.vocab) ? Object.entries(model.vocab) : []
  const more = Array.isArray(added)
    ? added.filter(isObject).map(one => [String(one.content), one.id] as const)
    : []
  let last = { token: '', id: -1 }
  for (const [token, id] of [...vocab, ...more]) {
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0)
      throw new Error(
        `token ${JSON.stringify(token)} must have a whole number as its id, got ${JSON.stringify(id)}`,
      )
    if (id > last.id) last = { token, id }
  }
  return last
}

/** Tokens are named by their text, or by an object that holds it. */
function contentOf(token: unknown): string | undefined {
  const content = isObject(token) ? token.content : token
  return typeof content === 'string' ? content : undefined
}
