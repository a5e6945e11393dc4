import { constants } from 'node:os'

/**
 * The signal that ended a child; undefined when it ended by itself. A wrapper script says that its own child was ended by
 * signal n with the exit code 128 + n.
 */
export function signalThatEnded(code: number | null, signal: string | null): string | undefined {
  if (signal !== null) return signal
  if (code === null || code <= 128 || code > 128 + 31) return undefined
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0]
}

/** Signals by which a program ends because of what it does with its input; any other comes from outside. */
const crashes: readonly string[] = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGSYS']

/** Whether a child was ended from outside, e.g. by a system that ran out of memory: what it was given is not at fault. */
export const isKill = (signal: string): boolean => !crashes.includes(signal)
