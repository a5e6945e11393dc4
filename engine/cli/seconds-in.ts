import { UsageError } from './arguments.ts'

/** The variables that hold a number of seconds: their usual value, and the least that works. */
const limits = {
  FLOW_LEASE_SECONDS: { usual: 10, least: 1 },
  FLOW_LEARNER_SECONDS: { usual: 60, least: 2 },
} as const

type Name = keyof typeof limits

/** The seconds that a variable of the environment states. */
export function secondsIn(name: Name, environment: Readonly<Record<string, string | undefined>>): number {
  const { usual, least } = limits[name]
  const text = environment[name] || String(usual)
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds >= least) return seconds
  throw new UsageError(
    `${name}: must be a number of seconds, ${least} or more, found "${text}"`,
    `set ${name} to such a number, or unset it for ${usual}`,
  )
}
