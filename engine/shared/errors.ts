/** An error with a stable code for programs. A remedy, if there is one, ends the message. */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code
  /** What the user can do about it. */
  readonly remedy: string | undefined

  constructor(code: Code, message: string, { remedy, cause }: { remedy?: string; cause?: unknown } = {}) {
    super(remedy === undefined ? message : `${message}: ${remedy}`, cause === undefined ? {} : { cause })
    this.name = new.target.name
    this.code = code
    this.remedy = remedy
  }
}

/** The message of a thrown value. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The code of an error of this program or of Node, e.g. `ENOENT`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
