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

/** What people and other programs call a flag, with `_` between words. */
const flags: Readonly<Record<string, string>> = {
  output_dir: '--out DIR',
  out_dir: '--out DIR',
  output: '--out DIR',
  o: '--out DIR',
  run_dir: '--out DIR',
  run_directory: '--out DIR',
  run_folder: '--out DIR',
  save_dir: '--out DIR',
  log_dir: '--out DIR',
  logging_dir: '--out DIR',
  default_local_dir: '--out DIR',
  seed: '--seed N',
  random_seed: '--seed N',
  manual_seed: '--seed N',
  resume_from_checkpoint: '--resume RUN',
  resume_from: '--resume RUN',
  restart: '--resume RUN',
  continue: '--resume RUN',
  shard: '--shard I/N',
  param: '--set KEY=VALUE',
  params: '--set KEY=VALUE',
  config: '--set KEY=VALUE',
  override: '--set KEY=VALUE',
  device: '--gpu GPU',
  adapter: '--gpu GPU',
  verbose: '--log-level debug',
  debug: '--log-level debug',
  quiet: '--log-level warn',
  silent: '--log-level warn',
  num_workers: '--workers N',
  num_processes: '--learners N',
  nproc_per_node: '--learners N',
  ui: '--view',
  force: '--accept-changes',
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
export function flagFor(name: string): string | undefined {
  const plain = name
    .replaceAll(/([a-z])(?=[A-Z])/g, '$1_')
    .toLowerCase()
    .replaceAll('-', '_')
  return Object.hasOwn(flags, plain) ? flags[plain] : undefined
}
