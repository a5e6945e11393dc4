import { nearest } from '../did-you-mean.ts'

/**
 * What other trainers (TRL, verl, transformers) call a setting, and what it is here: a param of the training graphs, or a flag.
 */
const otherNames: Readonly<Record<string, string>> = {
  num_generations: 'group',
  group_size: 'group',
  n: 'group',
  max_completion_length: 'maxNewTokens',
  max_new_tokens: 'maxNewTokens',
  max_tokens: 'maxNewTokens',
  max_steps: 'steps',
  total_training_steps: 'steps',
  num_train_epochs: 'epochs',
  total_epochs: 'epochs',
  model_name_or_path: 'model',
  model_name: 'model',
  model_path: 'model',
  dataset: 'data',
  dataset_name: 'data',
  train_dataset: 'data',
  train_files: 'data',
  lr: 'learningRate',
  learning_rate: 'learningRate',
  gradient_checkpointing: 'recompute',
  bf16: 'precision',
  fp16: 'precision',
  torch_dtype: 'precision',
  save_steps: 'checkpointEvery',
  save_freq: 'checkpointEvery',
  save_total_limit: 'checkpoints',
  per_device_train_batch_size: 'groupsPerUpdate',
  train_batch_size: 'groupsPerUpdate',
  gradient_accumulation_steps: 'accumulation',
  lora_r: 'lora',
  lora_rank: 'lora',
  lora_alpha: 'alpha',
  num_frames: 'frames',
  eval_steps: 'evaluateEvery',
}

const flags: Readonly<Record<string, string>> = {
  output_dir: '--out DIR',
  out_dir: '--out DIR',
  seed: '--seed N',
  resume_from_checkpoint: '--resume RUN',
  shard: '--shard I/N',
}

/** The param that another trainer's name means, also with a slip of the pen, if the graph has it. */
export function paramFor(name: string, params: readonly string[]): string | undefined {
  const plain = name.toLowerCase().replaceAll('-', '_')
  const known = Object.hasOwn(otherNames, plain)
    ? plain
    : plain.length > 4 && nearest(plain, Object.keys(otherNames))
  const meant = known ? otherNames[known] : undefined
  return meant !== undefined && params.includes(meant) ? meant : undefined
}

/** The field of a node that another trainer's name means, if the node has it. */
export const fieldFor = (name: string, fields: readonly string[]): string | undefined =>
  paramFor(name, fields) ?? (paramFor(name, ['group']) && fields.includes('count') ? 'count' : undefined)

/** The flag of `flow run` that a name means. */
export const flagFor = (name: string): string | undefined =>
  Object.hasOwn(flags, name) ? flags[name] : undefined
