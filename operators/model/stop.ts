import type { Tokenizer } from './checkpoint/tokenizer.ts'

/**
 * The number of ids that a completion keeps if it must stop at the first of these strings: up to the token that completes
 * the string. Undefined while the text has none of them. A string may begin and end within tokens.
 */
export function stopOf(
  tokenizer: Pick<Tokenizer, 'decode'>,
  stops: readonly string[],
): (ids: readonly number[]) => number | undefined {
  if (stops.includes('')) throw new Error('stop: a string to stop at must not be empty')
  const holds = (ids: readonly number[]) => endOfFirst(tokenizer.decode(ids), stops) !== undefined
  return ids => {
    if (!holds(ids)) return undefined
    // Text only grows: once it has a stop string it keeps it, so a binary search finds the token.
    let [without, least] = [0, ids.length]
    while (least - without > 1) {
      const middle = (without + least) >> 1
      if (holds(ids.slice(0, middle))) least = middle
      else without = middle
    }
    return least
  }
}

/** The text up to the first of these strings, with or without it. */
export function textUntil(text: string, stops: readonly string[], keepStop: boolean): string {
  const found = endOfFirst(text, stops)
  return found ? text.slice(0, keepStop ? found.end : found.start) : text
}

/** The string that is complete first; of several that end at the same place, the longest. */
function endOfFirst(text: string, stops: readonly string[]): { start: number; end: number } | undefined {
  const places = stops
    .map(stop => ({ start: text.indexOf(stop), length: stop.length }))
    .filter(({ start }) => start >= 0)
    .map(({ start, length }) => ({ start, end: start + length }))
  return places.sort((a, b) => a.end - b.end || a.start - b.start)[0]
}
