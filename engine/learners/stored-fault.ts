import { CodedError, codeOf, isOfMachine, messageOf } from '../shared/errors.ts'

/** An error as it travels. */
export interface StoredFault {
  readonly code: string
  readonly message: string
  readonly ofMachine: boolean
  readonly remedy?: string
}

export function storedFault(error: unknown): StoredFault {
  const remedy = error instanceof CodedError ? error.remedy : undefined
  const message = messageOf(error)
  return {
    code: codeOf(error) ?? 'operator-failed',
    // the message of a CodedError ends with its remedy
    message:
      remedy !== undefined && message.endsWith(`: ${remedy}`)
        ? message.slice(0, -remedy.length - 2)
        : message,
    ofMachine: isOfMachine(error),
    ...(remedy !== undefined && { remedy }),
  }
}

/** The error of a learner, with its name. */
export const faultOf = (learner: string, { code, message, ofMachine, remedy }: StoredFault): CodedError =>
  new CodedError(code, `${learner}: ${message}`, { ofMachine, ...(remedy !== undefined && { remedy }) })
