/** The place of each item of the JSON array in a file: its line, or its number where some lines hold several items. */
export function placesOfItems(file: string, text: string): string[] {
  const lines = linesOfItems(text)
  const hasLineEach = new Set(lines).size === lines.length
  return lines.map((line, i) => (hasLineEach ? `${file}:${line}` : `${file}: row ${i + 1}`))
}

/** The line, from 1, on which each item of a JSON array begins. The text has been parsed: it is JSON. */
function linesOfItems(text: string): number[] {
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
