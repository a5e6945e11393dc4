/** Longer formulas are no answers, and comparing them could take long. */
const mostCharacters = 400

/**
 * The formula or number that a text answers with, as LaTeX: the content of its last `\boxed{…}`; else of its last math
 * environment (`$…$`, `\(…\)`, `\[…\]`); else the text itself if it consists of LaTeX commands and signs; else its last
 * number. Undefined if there is none, and for a lettered option such as `C` or `C. 3 cats`, which is compared as text.
 * The same order as the default extractors of Math-Verify, which the published reward uses; those look for the last
 * match in the whole completion, also outside its answer tags.
 */
export function formulaOf(text: string): string | undefined {
  if (letteredOption.test(text)) return undefined
  const found = boxed(text) ?? lastEnvironment(text) ?? bare(text) ?? lastNumber(text)
  const formula = found && plain(found)
  return formula && formula.length <= mostCharacters ? formula : undefined
}

const letteredOption = /^\s*\(?[A-Z](?:[.):]|\s*$)/
const number = /(?<![\w.])([-+]?\d[\d,]*(?:\.\d+)?(?:\/\d+)?\s*\\?%?)/g

function lastNumber(text: string): string | undefined {
  let last: string | undefined
  for (const [, found] of text.matchAll(number)) last = found
  return last
}

/** The content of the last of `$…$`, `$$…$$`, `\\(…\\)` and `\\[…\\]`; a sign without a closing one is skipped. */
function lastEnvironment(text: string): string | undefined {
  let last: string | undefined
  const unclosed = new Set<string>()
  const signs = /\$|\\[([]/g
  for (let found = signs.exec(text); found; found = signs.exec(text)) {
    const [sign] = found
    if (unclosed.has(sign)) continue
    const closing = closings[sign] ?? sign
    let start = signs.lastIndex
    if (sign === '$' && text[start] === '$') start++
    // the content has at least one character
    const end = text.indexOf(closing, sign === '$' ? start : start + 1)
    if (end < 0) unclosed.add(sign)
    if (end <= start) continue
    last = text.slice(start, end)
    signs.lastIndex = end + (sign === '$' && text[end + 1] === '$' ? 2 : closing.length)
  }
  return last
}

const closings: Readonly<Record<string, string>> = { '\\(': '\\)', '\\[': '\\]' }

/** The content of the last `\boxed{…}`, which may have braces inside. */
function boxed(text: string): string | undefined {
  const opening = '\\boxed{'
  const start = text.lastIndexOf(opening)
  if (start < 0) return undefined
  let depth = 1
  for (let at = start + opening.length; at < text.length; at++) {
    if (text[at] === '{') depth++
    if (text[at] === '}') depth--
    if (depth === 0) return text.slice(start + opening.length, at)
  }
  return undefined
}

/** A text of LaTeX commands, single letters, digits and signs only, with at least one command or digit. */
function bare(text: string): string | undefined {
  const rest = text.replace(/\\[a-zA-Z]+/g, ' ')
  return !/[a-zA-Z]{2,}/.test(rest) && /\\[a-zA-Z]|\d/.test(text) && !/[.?!]\s*$/.test(text)
    ? text
    : undefined
}

/** The formula without layout: commas between thousands, units in upright letters, sizes of fractions. */
const plain = (formula: string): string =>
  formula
    .replace(/(?<=\d),(?=\d{3}(?!\d))/g, '')
    .replace(/\\(?:text|mathrm|textbf|mathbf)\{[^{}]*\}/g, '')
    .replace(/\\[dt]frac/g, '\\frac')
    .replace(/\^\{?\\circ\}?/g, '')
    .replace(/(?<!\\)%/g, '\\%')
    .trim()
