import { type OptionWords, optionsSaid, optionWords, plainWords } from './option-words.ts'
import type { ParsedAnswer } from './parse-answer.ts'
import { lettersStated } from './stated-letters.ts'

const none = { none: true } as const

/**
 * The option that a careful reader takes from a model that writes freely: `Answer: C`, `**C**`, `\boxed{C}`, `not (A), but
 * (C)`, the option's words, in tags or bare, even where a closing tag is missing. There is none where two options are named
 * as the answer, or where thinking was cut before any answer.
 */
export function tolerantChoice(
  output: string,
  { letters, options }: { letters: readonly string[]; options: readonly string[] },
): ParsedAnswer {
  const words = optionWords(letters, options)
  const found = new Set(answersIn(output).flatMap(text => choiceIn(cleaned(text), letters, words) ?? []))
  const [letter] = found
  return letter === undefined || found.size > 1 ? none : { letter }
}

const tag = /<[ \t]{0,2}(\/?)[ \t]{0,2}(think|answer)[ \t]{0,2}(?:>|$)/gi

/** The text of each pair of answer tags, if there are any after the thinking of those alone; else all text after the thinking. */
function answersIn(output: string): string[] {
  const tags = [...output.matchAll(tag)].map(({ 0: text, 1: slash, 2: name, index }) => ({
    name: name?.toLowerCase(),
    isEnd: slash === '/',
    start: index,
    end: index + text.length,
  }))
  const blocks = tags.flatMap(({ name, isEnd, end }, i) =>
    name === 'answer' && !isEnd ? [{ start: end, text: output.slice(end, tags[i + 1]?.start) }] : [],
  )
  const thought = tags.filter(({ name, isEnd }) => name === 'think' && isEnd).at(-1)?.end
  const after = blocks.filter(({ start }) => start >= (thought ?? 0))
  const used = after.length > 0 ? after : blocks
  if (used.length > 0) return used.slice(0, mostBlocks).map(({ text }) => text)
  if (thought === undefined && tags.some(({ name }) => name === 'think')) return []
  const end = tags.find(({ name, start }) => name === 'answer' && start >= (thought ?? 0))?.start
  return [output.slice(thought ?? 0, end)]
}

/** More answers than these in one output are no answer to one question. */
const mostBlocks = 20

/** An answer is at the beginning or at the end of a text: of a long one only this number of characters at each end is read. */
const readAtEnds = 5000

/** Without marks of emphasis, boxes, tokens of templates and characters that are not seen. */
function cleaned(text: string): string {
  const short =
    text.length > 2 * readAtEnds ? `${text.slice(0, readAtEnds)}\n\n${text.slice(-readAtEnds)}` : text
  return short
    .normalize('NFKC')
    .replaceAll('\0', '')
    .replace(/[\u200b-\u200f\u2060\ufeff]/g, '')
    .replace(/<\|[^|<>]{1,40}\|>(?:assistant\b)?/g, '')
    .replace(/<\/?[a-z]{1,10}>/gi, '')
    .replace(/\\(?:boxed|text|textbf|mathrm|mathbf)\s?\{/g, ' (')
    .replace(/[$*`"“”#>_]/g, '')
    .replace(/(?<![A-Za-z])['‘’]|['‘’](?![A-Za-z])/g, '')
    .replace(/\{/g, '(')
    .replace(/\}/g, ')')
    .replace(/。/g, '. ')
    .trim()
}

function choiceIn(
  text: string,
  letters: readonly string[],
  words: readonly OptionWords[],
): string | undefined {
  const alone = /^\W{0,8}([A-Za-z])\W{0,8}$/.exec(text)?.[1]?.toUpperCase()
  if (alone !== undefined) return letters.includes(alone) ? alone : undefined
  const said = saidWhole(text, words)
  if (said.length > 0) return said.length === 1 ? said[0] : undefined
  const labelled = labelIn(text, letters, words)
  return labelled === undefined ? lettersStated(text, letters, words) : (labelled ?? undefined)
}

/** The options whose words are all of a text, of its first line, or follow a few words that lead in. */
function saidWhole(text: string, words: readonly OptionWords[]): string[] {
  const [line = ''] = text.split('\n', 1)
  for (const part of [text, line]) {
    const plain = plainWords(part.slice(0, longestOption))
    if (plain === refusal) return []
    for (const form of [plain, plain.replace(leadIn, '')]) {
      const letters = optionsSaid(plainWords(form), words, true)
      if (letters.length > 0) return letters
    }
  }
  return []
}

/** Said alone these words decline as often as they choose an option of the same name, so they need its letter. */
const refusal = 'none of the above'

const longestOption = 2000

const leadIn =
  /^(?:(?:so|therefore|thus|hence),? )?(?:i (?:think|believe|choose|pick|would say) )?(?:that )?(?:(?:the|my) )?(?:(?:best|correct|right|final) )?(?:answer|option|choice|option text|it)(?: is:?|:) ?/

/**
 * The letter that a text begins with, as a label before the option's words or a reason. Null where the text after it
 * names another option; undefined where the text begins with no label.
 */
function labelIn(
  text: string,
  letters: readonly string[],
  words: readonly OptionWords[],
): string | null | undefined {
  const found = /^[-\s]{0,4}([([]?)\s?([A-Za-z])(?:\s?([)\]]))?([\s.,:;–—-]{0,4})/.exec(text)
  const letter = found?.[2]?.toUpperCase()
  if (!found || letter === undefined || !letters.includes(letter)) return undefined
  const [head, open, written, close = '', mark = ''] = found
  const rest = text.slice(head.length)
  if (/^[A-Za-z0-9]/.test(rest) && close === '' && mark === '') return undefined
  const said = plainWords(rest.slice(0, longestOption))
  const begun = optionsSaid(said, words, false)
  if (begun.includes(letter)) return letter
  const isParted = close !== '' || /[.,:;\n–—-]/.test(mark)
  if (!isParted) return supported.test(said) && written === letter ? letter : undefined
  if (begun.length > 0) return null
  if (refuted.test(said)) return undefined
  if (reason.test(said)) return letter
  const isSure = open !== '' || close !== '' || written === letter || mark.startsWith('.')
  if (!isSure) return undefined
  return namesOther(rest, letter, letters) ? null : letter
}

const supported = /^(?:is (?:the )?(?:correct|right|best|answer|true)|because\b|since\b)/
const refuted =
  /^(?:is|was|are|seems|looks|isn't|wasn't|can't|cannot)\b.{0,20}\b(?:not|wrong|incorrect|false|unlikely|excluded|out)\b|^(?:isn't|wasn't|can't|cannot)\b/
const reason = /^(?:explanation|reason|reasoning|rationale|because|since|as|given)\b/

/** Whether a text names another letter: one in brackets, or in upper case and not the article. */
function namesOther(text: string, letter: string, letters: readonly string[]): boolean {
  for (const { 1: inBrackets, 2: alone, index } of text.matchAll(otherMention)) {
    const named = (inBrackets ?? alone ?? '').toUpperCase()
    const isDenied = /\b(?:not|neither|nor)\s?$/i.test(text.slice(Math.max(0, index - 8), index))
    if (named !== letter && letters.includes(named) && !isDenied) return true
  }
  return false
}

const otherMention = /[([]\s?([A-Za-z])\s?[)\]]|(?<![A-Za-z0-9'])(?!A [a-z]|I [a-z])([A-Z])(?![A-Za-z0-9'])/g
