import { readFile, stat } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { notAFile } from '../../../engine/shared/files.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import { fileProblem, readJsonFile } from '../files/json-file.ts'

export interface TokenizerFiles {
  /** For messages: the file that holds the vocabulary. */
  readonly path: string
  /** In the form of `tokenizer.json`. */
  readonly definition: Record<string, unknown>
  readonly config: Record<string, unknown>
}

/**
 * Reads `tokenizer_config.json` with `tokenizer.json`, or with the `vocab.json` and `merges.txt` that Qwen2's slow
 * tokenizer saves: checkpoints made with `tokenizer_use_fast: false`, as the released one, hold only those.
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const config = await readObject(join(folder, 'tokenizer_config.json'))
  const path = join(folder, 'tokenizer.json')
  const vocabularyPath = join(folder, 'vocab.json')
  if ((await exists(path)) || !(await exists(vocabularyPath))) {
    return { path, definition: await readObject(path), config }
  }
  const vocab = await readObject(vocabularyPath)
  const merges = parseMerges(await readText(join(folder, 'merges.txt')))
  return { path: vocabularyPath, definition: qwen2Definition(vocab, merges, addedTokens(config)), config }
}

/** Qwen2's slow tokenizer, whose steps are in its code, in the form of `tokenizer.json`. */
function qwen2Definition(vocab: object, merges: string[], added: object[]): Record<string, unknown> {
  const words =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
  return {
    added_tokens: added,
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: words }, behavior: 'Isolated', invert: false },
        byteLevel,
      ],
    },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      vocab,
      merges,
    },
  }
}

/** One merge a line, best first; the first line may state a version. */
function parseMerges(text: string): string[] {
  const lines = text.split('\n').map(line => line.trim())
  return lines.filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')))
}

/** `added_tokens_decoder` keeps the tokens by id. */
function addedTokens(config: Record<string, unknown>): object[] {
  const byId = isObject(config.added_tokens_decoder) ? config.added_tokens_decoder : {}
  return Object.entries(byId).flatMap(([id, token]) =>
    isObject(token) ? [{ ...token, id: Number(id) }] : [],
  )
}

async function readObject(path: string): Promise<Record<string, unknown>> {
  const value = await readJsonFile(path)
  if (isObject(value)) return value
  throw new CheckpointError({ code: 'bad-config', message: `${path}: must hold an object` })
}

async function readText(path: string): Promise<string> {
  const fault = notAFile(path)
  if (fault !== undefined) throw new CheckpointError({ code: 'unreadable-file', message: fault })
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CheckpointError(fileProblem(path, cause))
  })
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
