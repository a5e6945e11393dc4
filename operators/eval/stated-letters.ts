import { type OptionWords, optionsSaid, plainWords } from './option-words.ts'

/** A letter of the options somewhere in a text. */
interface Mention {
  letter: string
  start: number
  end: number
  inBrackets: boolean
  /** How plainly the words around it say that it is the answer; 0: not at all. */
  weight: number
}

/**
 * The letter that sentences state as the answer: those with the plainest words for it decide (`the answer is C` before
 * `so C` before a lone `(C)`), and must agree. Letters that are denied (`not A`, `B is wrong`) do not count.
 */
export function lettersStated(
  text: string,
  letters: readonly string[],
  words: readonly OptionWords[],
): string | undefined {
  const plain = text.replace(aside, one => ' '.repeat(one.length))
  const mentions = mentionsIn(plain, letters, words)
  const heaviest = Math.max(0, ...mentions.map(({ weight }) => weight))
  if (heaviest === 0) return undefined
  const stated = mentions.filter(({ weight }) => weight === heaviest)
  const named = new Set(stated.map(({ letter }) => letter))
  const [letter] = named
  if (named.size > 1) return undefined
  return stated.some(one => isJoined(plain, one, mentions)) ? undefined : letter
}

/** Words in brackets, such as `(see the second half)`. */
const aside = /\((?=[^()]{0,200}[a-z]{3})(?![^()]{0,3}\b(?:and|or)\b)[^()]{4,200}\)/g

const candidate = /(?<![A-Za-z0-9À-ɏ'’/.-])([([]?)\s?([A-Za-z])(?:\s?([)\]]))?(?![A-Za-z0-9À-ɏ'’/])/g

function mentionsIn(text: string, letters: readonly string[], words: readonly OptionWords[]): Mention[] {
  const mentions: Mention[] = []
  for (const { 0: all, 1: open, 2: written = '', 3: close = '', index } of text.matchAll(candidate)) {
    const letter = written.toUpperCase()
    if (!letters.includes(letter)) continue
    const [start, end] = [index, index + all.length]
    const inBrackets = open !== '' && close !== ''
    const before = text.slice(Math.max(0, start - 48), start)
    const after = text.slice(end, end + 60)
    if (!inBrackets && isArticle(written, after)) continue
    if (denied(before, after)) continue
    const weight = weightOf({ written, inBrackets, before, after, letter }, words)
    if (weight < 0) return []
    if (weight > 0 || written === letter || inBrackets)
      mentions.push({ letter, start, end, inBrackets, weight })
  }
  return mentions
}

const isArticle = (written: string, after: string): boolean =>
  /^[AaIi]$/.test(written) &&
  /^ [a-z]/i.test(after) &&
  !/^ (?:is|was|are|because|since|and|or|but|as|seems)\b/.test(after)

const denied = (before: string, after: string): boolean =>
  /(?:\b(?:not|neither|nor|never|except|excludes?|excluded|eliminates?|eliminated|rules? out|ruled out|instead of|rather than)|n't)(?: the)?(?: option| answer| choice| be)?[\s:]{0,2}$/i.test(
    before,
  ) ||
  /^[\s,]{0,2}(?:is|was|are|were|seems|looks|can|could|does|do|isn|wasn|aren|cannot)\b[^.;\n]{0,20}\b(?:not|wrong|incorrect|false|unlikely|impossible|excluded|eliminated|out|t be)\b/i.test(
    after,
  )

interface Around {
  written: string
  letter: string
  inBrackets: boolean
  before: string
  after: string
}

/** 3: the answer is X. 2: option X, so X. 1: (X). 0: only named. Below: the words of another option follow it. */
function weightOf(
  { written, letter, inBrackets, before, after }: Around,
  words: readonly OptionWords[],
): number {
  const ends = /^\s*(?:$|[.,!?;:)\]\n(–—-]|です|だ|입니다)/.test(after)
  const approved = /^ (?:is (?:the )?(?:right|correct|best|answer|true)|because|since)\b/i.test(after)
  const begun = optionsSaid(plainWords(after), words, false)
  if (begun.length > 0 && !begun.includes(letter) && strong.test(before)) return -1
  const ended = ends || approved || begun.includes(letter)
  if (!ended && !(inBrackets && strong.test(before))) return 0
  if (strong.test(before) || /^ is (?:the )?(?:right|correct|best)? ?answer\b/i.test(after)) return 3
  if (option.test(before)) return approved || begun.includes(letter) || ends ? 2 : 0
  if (written !== letter && !inBrackets) return 0
  if (approved || weak.test(before)) return 2
  return inBrackets ? 1 : 0
}

const strong =
  /(?:\b(?:answer|option|choice|response|letter)(?: here)?\s{0,24}(?:is|was|would be|must be|should be|will be|[:=–—-])[\s:(["'-]{0,4}(?:(?:the )?(?:option|choice|answer|letter)[\s:]{0,2})?[([]?|(?:respuesta es|réponse est|antwort ist|risposta è|resposta é|réponse|ответ|答案|正解|選擇|选择|选|選|정답|答え)[是为為은는이가は：:\s]{0,4}[([]?|\b(?:must|has to|should) be (?:option )?[([]?)$/i
const option =
  /\b(?:option|choice|choose|chose|pick|picked|select|selected|go with|going with|answer)[\s:]{0,2}[([]?$/i
const weak =
  /\b(?:so|thus|hence|therefore|but|it is|it's|i think|i believe|(?<!could |might |may |can )be)[,:]?\s{0,2}[([]?$/i

/** Whether another letter that counts is right next to a mention, as in `A or B`. */
function isJoined(text: string, one: Mention, mentions: readonly Mention[]): boolean {
  return mentions.some(other => {
    if (other.letter === one.letter) return false
    const [first, second] = one.start < other.start ? [one, other] : [other, one]
    return second.start - first.end <= 12 && joint.test(text.slice(first.end, second.start))
  })
}

const joint = /^[\s)\]]{0,2}(?:[,/&+]|,? ?\bor\b|,? ?\band\b)?\s?(?:option )?[([]?$/i
