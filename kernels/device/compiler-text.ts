// The compiler's message about a kernel, without the lines that help nobody: of an operator or a function that does not
// take the given types, Dawn lists every candidate; what is kept is its sentence and the nearest candidate.

interface Candidate {
  signature: string
  conditions: string[]
  /** Conditions and parameters that the call does not meet. */
  misses: number
}

export function shortened(message: string): string {
  const lines = message.trim().split('\n')
  const title = lines.findIndex(line => /^\d+ candidate \w+:$/.test(line))
  if (title < 0) return lines.join('\n')
  const before = lines.slice(0, title).join('\n').trim()
  const candidates = candidatesIn(lines.slice(title + 1))
  const [nearest] = candidates.toSorted((a, b) => a.misses - b.misses)
  if (!nearest) return before
  const [count, , kind] = (lines[title] ?? '').split(/[ :]/)
  const which = candidates.length === 1 ? 'the one' : `the nearest of ${count}`
  const numbers = /\((f32|f16|i32|u32), (f32|f16|i32|u32)\)/.exec(before)
  if (numbers && numbers[1] !== numbers[2]) {
    const [, a = '', b = ''] = numbers
    const [kept, other] = a.startsWith('f') || !b.startsWith('f') ? [a, b] : [b, a]
    return `${before}\nWGSL converts no numbers by itself: write ${kept}(…) around the ${other}`
  }
  return [before, `${which} ${kind}: ${nearest.signature}`, ...nearest.conditions].join('\n')
}

/** A candidate is a line with a bullet, and below it what must hold: ✓ where it does, ✗ where not. */
function candidatesIn(lines: readonly string[]): Candidate[] {
  const found: Candidate[] = []
  for (const line of lines) {
    const misses = line.split('✗').length - 1
    const last = found.at(-1)
    if (line.trim().startsWith('•'))
      found.push({
        signature: line
          .replace(/^\s*•\s*/, '')
          .replaceAll('  ', ' ')
          .replaceAll(/ (?=[,)])/g, ''),
        conditions: [],
        misses,
      })
    else if (last && line.trim() !== '') {
      last.conditions.push(`  ${line.trim().replace(/^([✓✗])\s+/, '$1 ')}`)
      last.misses += misses
    }
  }
  return found
}
