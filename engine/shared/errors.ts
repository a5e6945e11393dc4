import { remedyOfCode, systemFault } from './system-fault.ts'

/** An error with a stable code for programs. A remedy, if there is one, ends the message. */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code
  /** What the user can do about it. */
  readonly remedy: string | undefined
  /** It says something about the machine, e.g. a child that was killed, and nothing about the item at work. */
  readonly ofMachine: boolean

  constructor(code: Code, message: string, { remedy, cause, ofMachine = false }: ErrorDetails = {}) {
    super(remedy === undefined ? message : `${message}: ${remedy}`, cause === undefined ? {} : { cause })
    this.name = new.target.name
    this.code = code
    this.remedy = remedy
    this.ofMachine = ofMachine
  }
}

interface ErrorDetails {
  remedy?: string
  cause?: unknown
  ofMachine?: boolean
}

/** The message of a thrown value; that of the system in words, after the path. */
export function messageOf(error: unknown): string {
  const fault = systemFault(error)
  if (fault) return fault.path === '' ? fault.found : `${fault.path}: ${fault.found}`
  return error instanceof Error ? error.message : String(error)
}

/** The message of a thrown value after whose path it will stand. */
export const reasonOf = (error: unknown): string => systemFault(error)?.found ?? messageOf(error)

/** The code of an error of this program or of Node, e.g. `ENOENT`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** What the user can do about an error or its cause, unless the message ends with it. */
export function remedyIn(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const remedy =
    error instanceof CodedError ? (error.remedy ?? remedyOfCode(error.code)) : systemFault(error)?.remedy
  if (remedy !== undefined) return error.message.endsWith(remedy) ? undefined : remedy
  return remedyIn(error.cause)
}

/** Codes of Node for what a machine lacks or has lost. */
const machineCodes: readonly (string | undefined)[] = [
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EAGAIN',
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'ESTALE',
]

/** Whether an error is one of the machine: the same item may well succeed elsewhere, or later. */
export const isOfMachine = (error: unknown): boolean =>
  error instanceof Error &&
  (('ofMachine' in error && error.ofMachine === true) ||
    machineCodes.includes(codeOf(error)) ||
    isOfMachine(error.cause))
