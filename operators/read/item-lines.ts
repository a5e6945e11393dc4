/** The line, from 1, on which each item of a JSON array begins. The text has been parsed: it is JSON. */
export function linesOfItems(text: string): number[] {
  const lines: number[] = []
  let [line, depth, isAwaited] = [1, 0, false]
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},\n]|[^\s"[\]{},]+/g)) {
    if (token === '\n') {
      line++
      continue
    }
    if (isAwaited && token !== ']') {
      lines.push(line)
      isAwaited = false
    }
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth--
    if (depth === 1 && ((token === '[' && lines.length === 0) || token === ',')) isAwaited = true
  }
  return lines
}
