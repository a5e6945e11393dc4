// Text functions of Python that differ from JavaScript's: the published numbers depend on them.

/**
 * Body of a character class with Python's whitespace, the same for `str.strip` and for `\s` in a pattern. Unlike
 * JavaScript's it has U+001C to U+001F and U+0085, and has not U+FEFF.
 */
export const whitespace =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'

/** Python's `str.strip()`. */
export const strip = (text: string): string => text.replace(leading, '').replace(trailing, '')

/** Python's `str.rstrip()`. */
export const stripEnd = (text: string): string => text.replace(trailing, '')

/** Python's `len(text)`: code points, not UTF-16 units. */
export function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

/** Python's `f'{value:.1f}'` of a number of at least 0: a value in the middle goes to the even digit. */
export function oneDecimal(value: number): string {
  // Of binary fractions only quarters lie in the middle of two tenths.
  const isMiddle = (value * 4) % 2 === 1
  return isMiddle ? `${Math.floor(value)}.${value % 1 < 0.5 ? 2 : 8}` : value.toFixed(1)
}

/** Python's `text[:1]`: the first code point, or nothing. */
export function firstOf(text: string): string {
  const [first = ''] = text
  return first
}

const leading = new RegExp(`^[${whitespace}]+`)
const trailing = new RegExp(`(?<![${whitespace}])[${whitespace}]+$`)
