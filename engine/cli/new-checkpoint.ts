import {
  type NewCheckpoint,
  storedTypes,
  writeNewCheckpoint,
} from '../../operators/model/checkpoint/new-checkpoint.ts'
import { CheckpointError } from '../../operators/model/files/checkpoint-error.ts'
import { showBytes } from '../shared/bytes.ts'
import { type Arguments, type Flag, UsageError } from './arguments.ts'

export const checkpointFlags: Readonly<Record<string, Flag>> = {
  config: {
    value: 'FILE',
    description: 'checkpoint: its config.json, e.g. builtin:configurations/released.json.',
  },
  tokenizer: {
    value: 'DIR',
    description: 'checkpoint: folder with tokenizer files (default: builtin:tokenizer).',
  },
  seed: { value: 'N', description: 'checkpoint: seed of the random weights (default: 1).' },
  dtype: {
    value: 'TYPE',
    choices: Object.keys(storedTypes),
    description: 'checkpoint: bfloat16 (default), float16 or float32.',
  },
}

/** `flow new checkpoint`: writes random weights of a model in the released layout. */
export async function newCheckpoint(words: Arguments, print: (line: string) => void): Promise<number> {
  const [config, out] = ['config', 'out'].map(flag => words.last(flag))
  if (config === undefined || out === undefined)
    throw new UsageError('new checkpoint: needs --config FILE and --out DIR')
  const seed = Number(words.last('seed') ?? 1)
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UsageError(`--seed: must be a whole number from 0 on, found ${words.last('seed')}`)
  const dtype = (words.last('dtype') ?? 'bfloat16') as NewCheckpoint['dtype'] // the flag's choices are these
  const started = performance.now()
  let total = 0
  try {
    const tokenizer = words.last('tokenizer') ?? 'builtin:tokenizer'
    for await (const { path, bytes } of writeNewCheckpoint(out, { config, tokenizer, seed, dtype })) {
      print(`wrote ${path}, ${showBytes(bytes)}`)
      total += bytes
    }
  } catch (error) {
    if (error instanceof CheckpointError) throw new UsageError(error.message)
    throw error
  }
  print(`${out} is complete: ${showBytes(total)} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  return 0
}
