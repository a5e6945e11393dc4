import { CodedError } from '../shared/errors.ts'

/** The error that ended a run: a stable code, and the node and the item when they are known. */
export class RunError extends CodedError<RunErrorCode> {
  readonly node: string | undefined
  readonly key: string | undefined
  readonly seed: number | undefined

  constructor(code: RunErrorCode, message: string, about: About = {}) {
    super(code, message, about)
    this.node = about.node
    this.key = about.key
    this.seed = about.seed
  }
}

export type RunErrorCode =
  | 'operator-failed'
  | 'operator-misused'
  | 'resource-failed'
  | 'edge-full'
  | 'stalled'
  | 'aborted'
  | 'did-not-stop'
  | 'never-settled'
  | 'write-failed'
  | 'checkpoint-failed'
  | 'checkpoint-mismatch'
  | 'too-many-skipped'
  | 'leak'
  | 'learner-lost'

interface About {
  node?: string
  key?: string
  seed?: number
  remedy?: string
  cause?: unknown
  ofMachine?: boolean
}
