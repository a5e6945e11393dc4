import type { Tokenizer } from './checkpoint/tokenizer.ts'

/**
 * How many of the ids a completion keeps that must stop at the first of these strings: up to the token that completes
 * it. Undefined while the text holds none of them. A stop may begin and end within tokens.
 */
export function stopOf(
  tokenizer: Pick<Tokenizer, 'decode'>,
  stops: readonly string[],
): (ids: readonly number[]) => number | undefined {
  if (stops.includes('')) throw new Error('stop: a string to stop at must not be empty')
  const holds = (ids: readonly number[]) => endOfFirst(tokenizer.decode(ids), stops) !== undefined
  return ids => {
    if (!holds(ids)) return undefined
    // Text only grows, so what holds a stop holds it ever after.
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

/** Where the string that is complete first stands; of those complete at once, the longest. */
function endOfFirst(text: string, stops: readonly string[]): { start: number; end: number } | undefined {
  const found = stops
    .map(stop => ({ start: text.indexOf(stop), length: stop.length }))
    .filter(({ start }) => start >= 0)
    .map(({ start, length }) => ({ start, end: start + length }))
  return found.sort((a, b) => a.end - b.end || a.start - b.start)[0]
}
