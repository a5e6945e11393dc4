/** The known name most like this one, or undefined when none is near: a few slips, or one begins with the other. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const allowed = name.length < 4 ? 1 : Math.max(2, Math.floor(name.length / 3))
  let best: { name: string; distance: number } | undefined
  for (const candidate of known) {
    const begins =
      Math.min(name.length, candidate.length) >= 3 &&
      (candidate.startsWith(name) || name.startsWith(candidate))
    const distance = begins ? Math.min(1, distanceBetween(name, candidate)) : distanceBetween(name, candidate)
    if (distance <= allowed && distance < (best?.distance ?? Number.POSITIVE_INFINITY))
      best = { name: candidate, distance }
  }
  return best?.name
}

/** A hint for a message: the nearest name, else the known ones when they are few, else nothing. */
export function nearestHint(name: string, known: Iterable<string>): string {
  const names = [...known]
  const near = nearest(name, names)
  if (near !== undefined) return `nearest "${near}"`
  return names.length > 0 && names.length <= 12 ? `known: ${names.join(', ')}` : ''
}

/** The same as the parts of a problem: the hint and, when there is one, the name to write instead. */
export function near(name: string, known: Iterable<string>): { hint: string; nearest?: string } {
  const names = [...known]
  const found = nearest(name, names)
  return { hint: nearestHint(name, names), ...(found !== undefined && { nearest: found }) }
}

/** Edit distance in UTF-16 units, ignoring case; two neighbours in the wrong order are one slip. */
function distanceBetween(a: string, b: string): number {
  const left = a.toLowerCase()
  const right = b.toLowerCase()
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= left.length; row++) {
    const above = rows[row - 1]
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1] ? 0 : 1
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      const best = Math.min(current[column - 1] + 1, above[column] + 1, above[column - 1] + same)
      current[column] = swapped ? Math.min(best, rows[row - 2][column - 2] + 1) : best
    }
    rows.push(current)
  }
  return rows[left.length][right.length]
}
