import { CodedError, codeOf, messageOf } from '../../shared/errors.ts'

/** Why a file of a run could not be written, and what to do about it where something can be done. */
export function whyNotWritten(error: unknown): string {
  if (codeOf(error) === 'ENOSPC')
    return 'the disk is full: free some space or choose another folder with --out'
  // the folder was there when the run began; who made no folder says why
  if (codeOf(error) === 'ENOENT' && !(error instanceof CodedError))
    return 'its folder was removed or replaced by another program'
  return messageOf(error)
}
