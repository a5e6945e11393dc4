import { at } from '../../engine/shared/at.ts'
/** The text of a file, or the number of its first line that cannot be read. */
export type Decoded = { text: string } | { badLine: number }

/** UTF-8, or UTF-16 where a byte-order mark says so. The mark is not part of the text. */
export function decodeText(bytes: Uint8Array): Decoded {
  const marked = markedEncoding(bytes)
  if (marked !== undefined) return decodedAs(marked, bytes) ?? { badLine: 1 }
  return decodedAs('utf-8', bytes) ?? { badLine: firstBadLine(bytes) }
}

/**
 * The text of a subtitle file: in addition to the encodings above, UTF-16 without a mark, Windows-1252 (an extended
 * Latin-1), GB18030 and EUC-KR, distinguished by which bytes are neighbours and which characters they make. Undefined if
 * none of them fits.
 */
export function decodeSubtitles(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe && bytes[2] === 0 && bytes[3] === 0) return undefined // UTF-32
  const sure = decodedAs(markedEncoding(bytes) ?? encodingByZeros(bytes) ?? 'utf-8', bytes)
  if (sure) return sure.text
  if (bytes.includes(0)) return undefined
  const runs = highRuns(bytes)
  if (runs.every(isChinese)) return chineseOrKorean(runs, bytes)
  return runs.every(isWestern) ? windows1252(bytes) : undefined
}

function decodedAs(encoding: string, bytes: Uint8Array): { text: string } | undefined {
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes) }
  } catch {
    return undefined // the caller tries another encoding, or says which line it is
  }
}

/** Whether a byte-order mark says that bytes are UTF-16. */
export const isUtf16 = (bytes: Uint8Array): boolean => markedEncoding(bytes) !== undefined

function markedEncoding([first, second]: Uint8Array): string | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  return first === 0xfe && second === 0xff ? 'utf-16be' : undefined
}

/** Subtitles hold times, whose digits have a zero byte each in UTF-16: after them or before them. */
function encodingByZeros(bytes: Uint8Array): string | undefined {
  let [even, odd] = [0, 0]
  for (const [i, byte] of bytes.entries()) {
    if (byte !== 0) continue
    if (i % 2 === 0) even++
    else odd++
  }
  if (odd > bytes.length / 8 && odd > 8 * even) return 'utf-16le'
  return even > bytes.length / 8 && even > 8 * odd ? 'utf-16be' : undefined
}

/** The number of the first line that is not UTF-8. Lines end alike in every text of bytes. */
function firstBadLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let start = 0
  for (let line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline
    try {
      decoder.decode(bytes.subarray(start, end))
    } catch {
      return line
    }
    start = end + 1
  }
  return 1
}

/** Successive bytes above 127, with the bytes before and after them (a space at the ends of the text). */
interface HighRun {
  bytes: Uint8Array
  before: number
  after: number
}

const space = 0x20

function highRuns(bytes: Uint8Array): HighRun[] {
  const runs: HighRun[] = []
  let start = -1
  for (let end = 0; end <= bytes.length; end++) {
    const isHigh = end < bytes.length && at(bytes, end) >= 0x80
    if (isHigh && start < 0) start = end
    if (isHigh || start < 0) continue
    runs.push({
      bytes: bytes.subarray(start, end),
      before: bytes[start - 1] ?? space,
      after: bytes[end] ?? space,
    })
    start = -1
  }
  return runs
}

/** Whether a run consists of pairs of bytes of Chinese characters and their punctuation, not between Latin letters. */
function isChinese({ bytes, before, after }: HighRun): boolean {
  if (bytes.length % 2 !== 0) return false
  for (let i = 0; i < bytes.length; i += 2) {
    const [lead, trail] = [at(bytes, i), at(bytes, i + 1)]
    const isPunctuation = lead >= 0xa1 && lead <= 0xa3
    if (!(isPunctuation || (lead >= 0xb0 && lead <= 0xf7)) || trail < 0xa1 || trail > 0xfe) return false
  }
  return bytes.length > 2 || !(isLatin(before) && isLatin(after))
}

/**
 * Both encodings use the same pairs of bytes. First bytes above 0xc8 begin no Korean syllable; where there is none, the
 * language whose frequent characters come out is taken, and none of them where neither does. Many rare Chinese characters
 * come of other encodings, as of Cyrillic bytes.
 */
function chineseOrKorean(runs: readonly HighRun[], bytes: Uint8Array): string | undefined {
  const leads = runs.flatMap(({ bytes }) => [...bytes].filter((byte, i) => i % 2 === 0 && byte >= 0xb0))
  const chinese = decodedAs('gb18030', bytes)?.text
  if (leads.filter(lead => lead > 0xd7).length > 0.3 * leads.length) return undefined
  if (leads.length === 0 || leads.some(lead => lead > 0xc8)) return chinese
  const korean = decodedAs('euc-kr', bytes)?.text
  const inChinese = countOf(frequentInChinese, chinese)
  const inKorean = countOf(frequentInKorean, korean)
  if (inChinese === inKorean || Math.max(inChinese, inKorean) < leads.length / 4) return undefined
  return inKorean > inChinese ? korean : chinese
}

const countOf = (frequent: ReadonlySet<string>, text = ''): number =>
  Array.from(text).filter(character => frequent.has(character)).length

/** Of those whose first byte is not above 0xc8. */
const frequentInChinese = new Set(
  '的不了人来到大们个好你那么就会和可很对看过国家地得都多发分给后还回见今开能年老没面明名哪内女前起其情请去全却让如',
)

const frequentInKorean = new Set(
  '이다는을를가에의로고하지은도기사나아어요니습까서리한해그있없게자라안녕세여만들저우내네것거수보했무뭐왜인일시대정부전말잘못야',
)

/** Whether a run is one or two accented letters, or marks of a Western text. */
function isWestern({ bytes, before, after }: HighRun): boolean {
  const inWord = isLatin(before) || isLatin(after)
  return (
    bytes.length <= 3 &&
    bytes.every(byte => (byte >= 0xc0 ? byte !== 0xd7 && byte !== 0xf7 : westernMarks.has(byte))) &&
    (inWord || bytes.length < 3)
  )
}

/** Characters that Windows-1252 has where Latin-1 has control characters, from 0x80; a space where it has none. */
const additions = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ'

/** By hand: TextDecoder of some versions of Node leaves the additions out. */
const windows1252 = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => additions[byte - 0x80] ?? String.fromCharCode(byte)).join('')

/** The marks of Windows-1252 that words are written with. */
const westernMarks = new Set([
  ...Array.from(additions, (mark, i) => (mark === ' ' ? 0 : 0x80 + i)),
  ...[0xa0, 0xa1, 0xa3, 0xa7, 0xa9, 0xab, 0xae, 0xb0, 0xb7, 0xba, 0xbb, 0xbf],
])

const isLatin = (byte: number): boolean => (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
