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
  | 'unknown-tensor'
  | 'folder-in-use'

export interface CheckpointProblem {
  readonly code: CheckpointErrorCode
  /** One line that names the file and, where there is one, the tensor or key. */
  readonly message: string
}

/** All faults of a checkpoint, found before it is used: the code of the first one, and a line of the message for each. */
export class CheckpointError extends CodedError<CheckpointErrorCode> {
  readonly problems: readonly [CheckpointProblem, ...CheckpointProblem[]]

  constructor(...problems: [CheckpointProblem, ...CheckpointProblem[]]) {
    super(problems[0].code, problems.map(problem => problem.message).join('\n'))
    this.problems = problems
  }
}

/** Throws one error for all of them when there are any. */
export function throwProblems(problems: readonly CheckpointProblem[]): void {
  const [first, ...rest] = problems
  if (first) throw new CheckpointError(first, ...rest)
}
