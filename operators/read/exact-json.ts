/**
 * `JSON.parse`, but numbers that JavaScript cannot hold, integers above 2^53 and those beyond 1.8e308, come as text, character
 * for character as written. Refuses values that are nested deeper than what is done with them later can follow. Linear in the
 * length of the text.
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (isDeep(text)) throw new SyntaxError(`its values must be nested at most ${mostLevels} levels deep`)
  if (!longNumber.test(text)) return value
  // the text is JSON, so every quote that opens a string has one that closes it
  return JSON.parse(text.replace(stringOrNumber, token => (isInexact(token) ? `"${token}"` : token)))
}

const mostLevels = 500

/** Whether lists and objects are nested too deep, in a text that is JSON. */
function isDeep(text: string): boolean {
  let [levels, isQuoted] = [0, false]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) isQuoted = !isQuoted
    else if (isQuoted) i += code === backslash ? 1 : 0
    else if (code === openList || code === openObject) {
      if (++levels > mostLevels) return true
    } else if (code === closeList || code === closeObject) levels--
  }
  return false
}

const [quote, backslash, openList, closeList, openObject, closeObject] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d]

const isInexact = (token: string): boolean => {
  const number = Number(token)
  return integer.test(token) ? !Number.isSafeInteger(number) : number === Infinity || number === -Infinity
}

const longNumber = /\d{16}|\d[eE]\+?\d{3}/
const stringOrNumber = /"(?:[^"\\]|\\.)*"|[-+.\deE]+/g
const integer = /^-?\d+$/
