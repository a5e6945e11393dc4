/**
 * `JSON.parse`, but integers that a number cannot hold exactly, above 2^53, come as text, digit for digit as written.
 * Linear in the length of the text.
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (!longInteger.test(text)) return value
  // the text is JSON, so every quote that opens a string has one that closes it
  return JSON.parse(
    text.replace(stringOrNumber, token =>
      integer.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
    ),
  )
}

const longInteger = /\d{16}/
const stringOrNumber = /"(?:[^"\\]|\\.)*"|[-+.\deE]+/g
const integer = /^-?\d+$/
