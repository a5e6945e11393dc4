/** The candidate most like a name: it differs by a few slips, or one begins with the other. Undefined when none does. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const allowed = name.length < 4 ? 1 : Math.max(2, Math.floor(name.length / 3))
  let best: { name: string; distance: number; slips: number } | undefined
  for (const candidate of candidates) {
    const begins =
      Math.min(name.length, candidate.length) >= 3 &&
      (candidate.startsWith(name) || name.startsWith(candidate))
    const slips = distanceBetween(name, candidate)
    const distance = begins ? Math.min(1, slips) : slips
    if (distance > allowed) continue
    if (!best || distance < best.distance || (distance === best.distance && slips < best.slips))
      best = { name: candidate, distance, slips }
  }
  return best?.name
}

/** A hint for a message: the nearest candidate, else all of them when they are few, else nothing. */
export function nearestHint(name: string, candidates: Iterable<string>): string {
  const names = [...candidates]
  const near = nearest(name, names)
  if (near !== undefined) return `nearest "${near}"`
  return names.length > 0 && names.length <= 12 ? `known: ${names.join(', ')}` : ''
}

/** The same as parts of a problem: the hint and, when there is one, the name to write instead. */
export function near(name: string, candidates: Iterable<string>): { hint: string; nearest?: string } {
  const names = [...candidates]
  const closest = nearest(name, names)
  return { hint: nearestHint(name, names), ...(closest !== undefined && { nearest: closest }) }
}

/** Edit distance in UTF-16 units, ignoring case; two neighbours in the wrong order are one slip. */
function distanceBetween(a: string, b: string): number {
  const left = a.toLowerCase()
  const right = b.toLowerCase()
  const rows = [Array.from({ length: right.length + 1 }, (_, column) => column)]
  /** The distance between the beginnings of both texts, of these lengths; there is none before the first row or column. */
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    rows.push(current)
    for (let column = 1; column <= right.length; column++) {
      const change = left[row - 1] === right[column - 1] ? 0 : 1
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      const best = Math.min(
        at(row, column - 1) + 1,
        at(row - 1, column) + 1,
        at(row - 1, column - 1) + change,
      )
      current.push(swapped ? Math.min(best, at(row - 2, column - 2) + 1) : best)
    }
  }
  return at(left.length, right.length)
}
