// What is wrong with a text that is not JSON, as its author would say it. A parser stops where it can no longer go on, which
// is often after the slip: a comma before a closing bracket, a bracket that is missing many lines above.
import { createScanner, type ParseError, printParseErrorCode } from 'jsonc-parser'

export interface Slip {
  offset: number
  rule: string
  remedy: string
}

/** The slip of which the first error of a parser tells. */
export function slipIn(text: string, { error, offset }: ParseError): Slip {
  const name = printParseErrorCode(error)
  const tokens = tokensOf(text)
  if (tokens.length === 0) return { offset: 0, ...empty }
  if (!isInToken.includes(name)) {
    const bracket = wrongBracket(text, tokens)
    if (bracket) return bracket
  }
  const index = tokens.findIndex(token => token.offset >= offset)
  const [before, here] = [tokens[(index < 0 ? tokens.length : index) - 1], tokens[index]]
  if (before?.text === ',' && here && isClosing(here)) {
    const what = here.text === '}' ? 'an object' : 'a list'
    return {
      offset: before.offset,
      rule: `must not end ${what}: a comma stands between two values`,
      remedy: 'remove this comma',
    }
  }
  if (before?.text === ',' && here?.text === ',')
    return {
      offset: here.offset,
      rule: 'must be a value: a comma stands before it',
      remedy: 'remove this comma',
    }
  if (name === 'CommaExpected' && before)
    return {
      offset: before.offset + before.text.length,
      rule: 'must be a comma between two values',
      remedy: 'write a comma here',
    }
  if (name === 'InvalidSymbol' || name === 'PropertyNameExpected' || name === 'ValueExpected') {
    const word = wordAt(text, offset)
    const meant = Object.hasOwn(constants, word) ? constants[word] : undefined
    if (meant !== undefined)
      return { offset, rule: `must be a JSON value, found ${word}`, remedy: `write ${meant}` }
    if (text[offset] === "'")
      return { offset, rule: 'must be in double quotes', remedy: 'write names and texts in double quotes' }
    if (/^[A-Za-z_$]/.test(word)) {
      const rule = `must be in double quotes, found ${word}`
      return { offset, rule, remedy: `write "${word}"` }
    }
  }
  const [rule, remedy] = rules[name] ?? [`must be valid JSON (${name})`, 'write strict JSON here']
  return { offset, rule, remedy }
}

interface Token {
  text: string
  offset: number
}

/** Without comments and white space. */
function tokensOf(text: string): Token[] {
  const scanner = createScanner(text, true)
  const tokens: Token[] = []
  for (scanner.scan(); scanner.getTokenOffset() < text.length; scanner.scan())
    tokens.push({
      text: text.slice(scanner.getTokenOffset(), scanner.getTokenOffset() + scanner.getTokenLength()),
      offset: scanner.getTokenOffset(),
    })
  return tokens
}

/** The closing bracket of each opening one. */
const closers: Readonly<Record<string, string>> = { '{': '}', '[': ']' }
const isClosing = ({ text }: Token): boolean => text === '}' || text === ']'

/**
 * A bracket that closes another kind than is open, is too many, or is missing. Where one is missing or too many, the parser
 * learns of it at the end of the file; the indentation tells where: a line that begins with a closing bracket is indented
 * as the line with its opening one.
 */
function wrongBracket(text: string, tokens: readonly Token[]): Slip | undefined {
  const open: Token[] = []
  /** The first closing bracket that is indented otherwise than what it closes, and the bracket that it closes. */
  let odd: { opening: Token; closing: Token } | undefined
  for (const token of tokens) {
    if (closers[token.text] !== undefined) open.push(token)
    if (!isClosing(token)) continue
    const opening = open.pop()
    if (!opening) return odd ? tooMany(text, odd) : needless(token)
    const wanted = closers[opening.text]
    if (wanted !== token.text) {
      if (odd) return unclosed(odd.opening)
      const rule = `must be ${wanted}: it closes the ${opening.text} of line ${lineOf(text, opening.offset)}, found ${token.text}`
      return { offset: token.offset, rule, remedy: `write ${wanted} instead of ${token.text}` }
    }
    if (beginsLine(text, token.offset) && indentAt(text, token.offset) !== indentAt(text, opening.offset))
      odd ??= { opening, closing: token }
  }
  const last = open.at(-1)
  if (!last) return odd && endsEarly(tokens) ? tooMany(text, odd) : undefined
  const isShort = odd && indentAt(text, odd.closing.offset) < indentAt(text, odd.opening.offset)
  return unclosed(odd && isShort ? odd.opening : last)
}

/** The first bracket is closed before the text ends. */
function endsEarly(tokens: readonly Token[]): boolean {
  let depth = 0
  return tokens.some((token, i) => {
    if (closers[token.text] !== undefined) depth++
    else if (isClosing(token)) depth--
    return depth === 0 && i < tokens.length - 1
  })
}

const unclosed = ({ text, offset }: Token): Slip => ({
  offset,
  rule: `must be closed: no ${closers[text]} belongs to this ${text}`,
  remedy: `write ${closers[text]} where it ends`,
})

const needless = ({ text, offset }: Token): Slip => ({
  offset,
  rule: 'must close something: nothing is open here',
  remedy: `remove this ${text}`,
})

const tooMany = (text: string, { opening, closing }: { opening: Token; closing: Token }): Slip => ({
  offset: closing.offset,
  rule: `must be indented as line ${lineOf(text, opening.offset)}, whose ${opening.text} it closes: a bracket above it is one too many`,
  remedy: `remove a closing bracket between line ${lineOf(text, opening.offset)} and this one`,
})

const beginsLine = (text: string, offset: number): boolean =>
  text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset).trim() === ''

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

function indentAt(text: string, offset: number): number {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1)
  return line.length - line.trimStart().length
}

const wordAt = (text: string, offset: number): string => /^[\w$.-]*/.exec(text.slice(offset))?.[0] ?? ''

/** Words of Python and JavaScript that JSON writes otherwise. */
const constants: Readonly<Record<string, string>> = {
  True: 'true',
  TRUE: 'true',
  False: 'false',
  FALSE: 'false',
  None: 'null',
  Null: 'null',
  undefined: 'null',
}

const empty = {
  rule: 'must hold one JSON object',
  remedy: 'write { "version": 1, "summary": "…", "nodes": { … } }',
}

/** Errors inside a token: the brackets around it say nothing. */
const isInToken = [
  'UnexpectedEndOfComment',
  'UnexpectedEndOfString',
  'UnexpectedEndOfNumber',
  'InvalidUnicode',
  'InvalidEscapeCharacter',
  'InvalidCharacter',
]

/** By the parser's name of an error: the rule, and what to do. */
const rules: Readonly<Record<string, readonly [string, string]>> = {
  InvalidSymbol: ['must be a JSON value: this sign is not', 'remove it, or write it in double quotes'],
  InvalidNumberFormat: ['must be a JSON number: this is not one', 'write digits, e.g. 0.5'],
  PropertyNameExpected: ['must be a key in double quotes', 'write "KEY": VALUE'],
  ValueExpected: ['must be a JSON value', 'write a value here'],
  ColonExpected: ['must be a colon after the key', 'write a colon here'],
  EndOfFileExpected: ['must end here: one JSON object a file', 'remove what follows'],
  UnexpectedEndOfComment: ['must end the comment with */', 'write */ where the comment ends'],
  UnexpectedEndOfString: [
    'must end the string with a double quote on the same line',
    'write " where the string ends',
  ],
  UnexpectedEndOfNumber: ['must be a JSON number: this one stops short', 'write digits after it'],
  InvalidUnicode: ['must be four hexadecimal digits after \\u', 'write e.g. \\u00e9'],
  InvalidEscapeCharacter: ['must be one of the escapes that JSON has', 'write \\\\ for a backslash'],
  InvalidCharacter: [
    'must escape control characters in a string',
    'write \\n for a line break, \\t for a tab',
  ],
}
