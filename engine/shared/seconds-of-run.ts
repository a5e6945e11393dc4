/**
 * Seconds that a run took so far, by its manifest. `ofProcess`: those of the process that runs it or ran it last, which alone says
 * them until it ends; a run that was resumed took others before.
 */
export function secondsOfRun<Seconds extends number | undefined>(
  { seconds, secondsBefore }: Readonly<Record<string, unknown>>,
  ofProcess: Seconds,
): number | Seconds {
  if (typeof seconds === 'number') return seconds
  if (ofProcess === undefined) return ofProcess
  return ofProcess + (typeof secondsBefore === 'number' ? secondsBefore : 0)
}
