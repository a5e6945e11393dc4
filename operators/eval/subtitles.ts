import { readFile } from 'node:fs/promises'
import type { Question } from '../question.ts'

/** A line of subtitles; an end that is not stated is undefined. */
export interface Cue {
  startSeconds: number
  endSeconds: number | undefined
  text: string
}

/** Where the frames that a question is asked about stand in the clip. */
export interface FrameTimes {
  seconds: readonly number[]
  durationSeconds: number
}

/** The words after the frames: the question, with the subtitles that its benchmark joins to it. */
export async function wordsOf({ question, fields }: Question, times: FrameTimes): Promise<string> {
  const { subtitles } = fields
  if (!subtitles) return question
  const cues = parseCues(await readFile(subtitles.path, 'utf8'))
  if (subtitles.form === 'list') return withList(question, cues, times)
  // The published template moves `<image>` to the front, so that the line where it stood is only its label.
  return `subtitles:${interleaved(cues, times, subtitles.startSeconds)}\nquestion: \n${question}`
}

/** The lines spoken while one of the frames is shown, each once, as Video-MME's rules ask. */
function withList(question: string, cues: readonly Cue[], { seconds, durationSeconds }: FrameTimes): string {
  const spoken = cues.filter(({ startSeconds, endSeconds = durationSeconds }) =>
    seconds.some(time => startSeconds <= time && time <= endSeconds),
  )
  if (spoken.length === 0) return question
  return ["This video's subtitles are listed below:", ...spoken.map(cue => cue.text), question].join('\n')
}

/** Marks of the frames and the lines between them, without separators (Specification 6.7). */
export function interleaved(
  cues: readonly Cue[],
  { seconds, durationSeconds }: FrameTimes,
  startSeconds: number,
): string {
  let out = ''
  let emitted = 0
  for (const cue of cues) {
    let start = cue.startSeconds - startSeconds
    let end = (cue.endSeconds ?? durationSeconds) - startSeconds
    const middle = (start + end) / 2
    for (; emitted < seconds.length && (seconds[emitted] ?? 0) <= middle; emitted++) out += frameMark
    if (end - start < 1) [start, end] = [middle - 0.5, middle + 0.5]
    if (seconds.some(time => start < time && time < end)) out += cue.text
  }
  return out + frameMark.repeat(seconds.length - emitted)
}

const frameMark = '[image]'

/** Cues of an SRT file, or of LongVideoBench's JSON in either spelling. */
export function parseCues(text: string): Cue[] {
  return text.trimStart().startsWith('[') ? parseJsonCues(text) : parseSrt(text)
}

function parseSrt(text: string): Cue[] {
  return text.split(/\r?\n\r?\n+/).flatMap(block => {
    const lines = block.trim().split(/\r?\n/)
    const at = lines.findIndex(line => line.includes('-->'))
    if (at < 0) return []
    const [start = '', end = ''] = (lines[at] ?? '').split('-->')
    const words = lines.slice(at + 1).join(' ')
    const cue = words.replace(/<[^>]*>/g, '').trim()
    return [{ startSeconds: clock(start), endSeconds: clock(end), text: cue }]
  })
}

function parseJsonCues(text: string): Cue[] {
  // both spellings are checked field by field below
  const rows = JSON.parse(text) as readonly Readonly<Record<string, unknown>>[]
  return rows.map(({ timestamp, text: words, start, end, line }) => {
    if (!Array.isArray(timestamp))
      return { startSeconds: clock(String(start)), endSeconds: clock(String(end)), text: String(line) }
    const [from, to] = timestamp
    return {
      startSeconds: Number(from),
      endSeconds: typeof to === 'number' ? to : undefined,
      text: String(words),
    }
  })
}

/** Seconds of `h:m:s`, with a point or a comma before the fraction. */
function clock(text: string): number {
  const parts = text.trim().replace(',', '.').split(':')
  return parts.reduce((seconds, part) => seconds * 60 + Number(part), 0)
}
