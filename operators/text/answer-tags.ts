import { whitespace } from './python.ts'

/**
 * What Python's `re.search('<answer>(.*?)</answer>', text)` captures, in linear time: the text between the first opening
 * tag that is followed by a closing one, without a newline between. `edges`: newlines and other whitespace may follow
 * the opening tag and precede the closing tag, as with `<answer>\s*(.*?)\s*</answer>`.
 */
export function answerBetweenTags(text: string, { edges }: { edges: boolean }): string | undefined {
  let close = -1
  let start = 0 // of the first content that this closing tag can end
  let newline = -1 // the last before the closing tag, edges aside
  for (let open = text.indexOf(opening); open >= 0; open = text.indexOf(opening, open + opening.length)) {
    const inner = open + opening.length
    if (close < inner) {
      start = inner
      close = text.indexOf(closing, inner)
      if (close < 0) return undefined
      let end = close
      while (edges && end > start && isSpace(text, end - 1)) end--
      newline = text.slice(start, end).lastIndexOf('\n') + start
      if (newline < start) newline = -1
    }
    let first = inner
    while (edges && first < close && isSpace(text, first)) first++
    if (newline < first) return text.slice(inner, close)
  }
  return undefined
}

/** The text between two marks that each occur once, in this order; undefined otherwise. */
export function between(text: string, opening: string, closing: string): string | undefined {
  const start = text.indexOf(opening)
  const end = text.indexOf(closing)
  const once = start === text.lastIndexOf(opening) && end === text.lastIndexOf(closing)
  return once && start >= 0 && end >= start + opening.length
    ? text.slice(start + opening.length, end)
    : undefined
}

const opening = '<answer>'
const closing = '</answer>'
const space = new RegExp(`[${whitespace}]`)
const isSpace = (text: string, at: number): boolean => space.test(text.charAt(at))
