/** A line of subtitles; an end that is not stated is undefined. */
export interface Cue {
  startSeconds: number
  endSeconds: number | undefined
  text: string
}

/**
 * Cues of an SRT or WebVTT file as players show them. A cue begins at a line of times and lasts until the next one,
 * whose number does not belong to it, so that a missing empty line glues no cues together and one too many loses no words.
 * In WebVTT an empty line ends a cue. Lines of a cue are joined by spaces; cues without words are not shown.
 */
export function parseTimedText(text: string): Cue[] {
  const lines = text.split(/\r\n|\n|\r/)
  const isVtt = lines[0]?.startsWith('WEBVTT') ?? false
  const cues: Cue[] = []
  let cue: { times: Times; lines: string[] } | undefined
  const close = (next: boolean) => {
    if (!cue) return
    if (next && isNumber(cue.lines.at(-1))) cue.lines.pop()
    const words = wordsOf(isVtt ? cue.lines.slice(0, endOf(cue.lines)) : cue.lines, isVtt)
    if (words !== '') cues.push({ ...cue.times, text: words })
  }
  for (const line of lines) {
    const times = timesOf(line)
    if (times) {
      close(true)
      cue = { times, lines: [] }
    } else cue?.lines.push(line)
  }
  close(false)
  return cues
}

type Times = Pick<Cue, 'startSeconds' | 'endSeconds'>

/** Hours may be missing. Text after the times (a place on the screen) is skipped. */
const timeLine =
  /^\s{0,20}(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})\d{0,20}\s{0,20}-->\s{0,20}(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})(?!\w*:)/

function timesOf(line: string): Times | undefined {
  const found = line.includes('-->') ? timeLine.exec(line) : null
  if (!found) return undefined
  const [h1, m1, s1, f1, h2, m2, s2, f2] = found.slice(1).map(part => Number(part ?? 0))
  return { startSeconds: secondsOf(h1, m1, s1, f1), endSeconds: secondsOf(h2, m2, s2, f2) }
}

const secondsOf = (hours = 0, minutes = 0, seconds = 0, milliseconds = 0): number =>
  hours * 3600 + minutes * 60 + seconds + milliseconds / 1000

const isNumber = (line: string | undefined): boolean =>
  line !== undefined && /^\s{0,20}\d{1,9}\s{0,20}$/.test(line)

function endOf(lines: readonly string[]): number {
  const end = lines.findIndex(line => line.trim() === '')
  return end < 0 ? lines.length : end
}

/** Tags that players know are not shown; any other `<` is. Break tags part words. */
function wordsOf(lines: readonly string[], isVtt: boolean): string {
  const shown = lines
    .map(line => withoutTags(line).trim())
    .filter(line => line !== '')
    .join(' ')
  return isVtt ? shown.replace(/&(?:amp|lt|gt|nbsp|lrm|rlm);/g, entity => entities[entity] ?? entity) : shown
}

const withoutTags = (line: string): string =>
  line
    .replace(/<br\s{0,5}\/?>|\\N/gi, ' ')
    .replace(/\{\\[^{}]{1,200}\}/g, '')
    .replace(/<\/?(?:b|i|u|s|font|c|v|lang|ruby|rt|em|strong|span|p|div)(?:[\s.][^<>]{0,300})?>/gi, '')
    .replace(/<(?:\d{1,6}:)?\d{1,2}:\d{1,2}[.,]\d{1,3}>/g, '')

const entities: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&nbsp;': ' ',
  '&lrm;': '',
  '&rlm;': '',
}
