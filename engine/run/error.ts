/** What ended a run: a stable code, and the node and item when they are known. */
export class RunError extends Error {
  readonly code: RunErrorCode
  readonly node: string | undefined
  readonly key: string | undefined
  readonly seed: number | undefined

  constructor(code: RunErrorCode, message: string, about: About = {}) {
    super(message, about.cause === undefined ? {} : { cause: about.cause })
    this.name = 'RunError'
    this.code = code
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
  | 'write-failed'
  | 'checkpoint-failed'
  | 'checkpoint-mismatch'
  | 'leak'

interface About {
  node?: string
  key?: string
  seed?: number
  cause?: unknown
}

/** The sentence of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
