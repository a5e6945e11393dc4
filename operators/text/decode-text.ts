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
 * Latin-1) and GB18030, distinguished by which bytes are neighbours. Undefined if none of them fits.
 */
export function decodeSubtitles(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe && bytes[2] === 0 && bytes[3] === 0) return undefined // UTF-32
  const sure = decodedAs(markedEncoding(bytes) ?? encodingByZeros(bytes) ?? 'utf-8', bytes)
  if (sure) return sure.text
  if (bytes.includes(0)) return undefined
  const runs = highRuns(bytes)
  if (runs.every(isChinese)) return isHardlyChinese(runs) ? undefined : decodedAs('gb18030', bytes)?.text
  return runs.every(isWestern) ? windows1252(bytes) : undefined
}

function decodedAs(encoding: string, bytes: Uint8Array): { text: string } | undefined {
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes) }
  } catch {
    return undefined // the caller tries another encoding, or says which line it is
  }
}

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
 * Whether the characters that GB18030 gives are unlikely in Chinese: many are rare, as from Cyrillic bytes, or all have
 * first bytes of Korean syllables in EUC-KR.
 */
function isHardlyChinese(runs: readonly HighRun[]): boolean {
  const leads = runs.flatMap(({ bytes }) => [...bytes].filter((byte, i) => i % 2 === 0 && byte >= 0xb0))
  const rare = leads.filter(lead => lead > 0xd7).length
  return rare > 0.3 * leads.length || (leads.length >= 10 && leads.every(lead => lead <= 0xc8))
}

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
