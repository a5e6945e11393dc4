import { messageOf } from '../../engine/shared/errors.ts'
import { refuseUnlessFile } from '../../engine/shared/files.ts'
import { isObject } from '../../engine/shared/json.ts'
import { readWhole } from '../files/packed-file.ts'
import type { Question } from '../question.ts'
import { decodeSubtitles } from '../text/decode-text.ts'
import { EvaluationError } from './evaluation-error.ts'
import { type Cue, parseTimedText } from './timed-text.ts'

/** Times in the clip of the frames that a question is asked about. */
export interface FrameTimes {
  seconds: readonly number[]
  durationSeconds: number
}

/** The words after the frames: the question, with the subtitles that its benchmark joins to it. */
export async function wordsOf({ question, fields }: Question, times: FrameTimes): Promise<string> {
  const { subtitles } = fields
  if (!subtitles) return question
  const cues = await readCues(subtitles.path)
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

/** Marks of the frames and the lines between them, without separators. */
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

/** Cues of an SRT or WebVTT file, or of LongVideoBench's JSON in either spelling. */
export function parseCues(text: string): Cue[] {
  if (text.trimStart().startsWith('[')) return parseJsonCues(text)
  return parseTimedText(text)
}

async function readCues(path: string): Promise<Cue[]> {
  refuseUnlessFile(path)
  const text = decodeSubtitles(await readWhole(path))
  const fault = (reason: string) => new EvaluationError('bad-subtitles', `${path}: ${reason}`)
  if (text === undefined)
    throw fault(
      'subtitles must be UTF-8, UTF-16, Windows-1252, GB18030 or EUC-KR, and it is not sure to be any of them: convert them with iconv -f ENCODING -t UTF-8',
    )
  try {
    return parseCues(text)
  } catch (error) {
    throw fault(`subtitles must be SRT, WebVTT or the JSON of LongVideoBench: ${messageOf(error)}`)
  }
}

function parseJsonCues(text: string): Cue[] {
  const rows: unknown = JSON.parse(text)
  if (!Array.isArray(rows)) throw new Error('must be a list')
  return rows.map((row: unknown, i) => {
    if (!isObject(row)) throw new Error(`item ${i} must be an object`)
    const { timestamp, text: words, start, end, line } = row
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
