import { CodedError } from '../../../engine/shared/errors.ts'

export type CheckpointErrorCode =
  | 'missing-file'
  | 'unreadable-file'
  | 'bad-json'
  | 'bad-header'
  | 'truncated-file'
  | 'bad-tensor'
  | 'overlapping-tensors'
  | 'gap-in-file'
  | 'unsupported-dtype'
  | 'unsupported-model'
  | 'bad-config'
  | 'bad-index'
  | 'duplicate-tensor'
  | 'missing-tensor'
  | 'wrong-shape'
  | 'not-finite'
  | 'unknown-tensor'
  | 'folder-in-use'
  | 'no-checkpoint'

export interface CheckpointProblem {
  readonly code: CheckpointErrorCode
  /** One line that names the file and, where there is one, the tensor or key. */
  readonly message: string
}

/** All faults of a checkpoint, found before it is used: the code of the first one, and a line of the message for each. */
export class CheckpointError extends CodedError<CheckpointErrorCode> {
  readonly problems: readonly [CheckpointProblem, ...CheckpointProblem[]]
  override readonly remedy = remedies[this.code]

  constructor(...problems: [CheckpointProblem, ...CheckpointProblem[]]) {
    super(problems[0].code, problems.map(problem => problem.message).join('\n'))
    this.problems = problems
  }
}

/** What to do about each kind of fault. */
const remedies: Readonly<Record<CheckpointErrorCode, string>> = {
  'missing-file': 'copy or download this file, too',
  'unreadable-file': 'let the user of this process read it',
  'bad-json': 'copy or download this file again: it is not whole',
  'bad-header': 'copy or download this file again, or convert the weights to safetensors',
  'truncated-file': 'copy or download this file again: it is not whole',
  'bad-tensor': 'write this file again with a library that makes safetensors',
  'overlapping-tensors': 'copy or download this file again: it is damaged',
  'gap-in-file': 'copy or download this file again: it is damaged',
  'unsupported-dtype': 'convert the weights to bfloat16, float16 or float32',
  'unsupported-model': 'name a checkpoint of a supported model; the line says which they are',
  'bad-config': 'correct what the line names',
  'bad-index': 'copy or download the index again',
  'duplicate-tensor': 'remove the file that does not belong to this checkpoint',
  'missing-tensor': 'use weights and config.json of the same model',
  'not-finite': 'copy or download this file again: it is damaged, or the training that wrote it has failed',
  'wrong-shape': 'use weights and config.json of the same model',
  'unknown-tensor': 'use weights and config.json of the same model',
  'folder-in-use': 'name a folder that is new or empty',
  'no-checkpoint': 'write what the line says',
}

/** Throws one error for all of them when there are any. */
export function throwProblems(problems: readonly CheckpointProblem[]): void {
  const [first, ...rest] = problems
  if (first) throw new CheckpointError(first, ...rest)
}
