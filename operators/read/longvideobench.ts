import { join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { inside } from '../../engine/shared/inside.ts'
import type { Question } from '../question.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder, type FindClip } from './benchmark-folder.ts'
import { idOf, lettersOf, type Row, readRows, text, texts, unknownFields } from './benchmark-rows.ts'

const config = {
  ...benchmarkFields,
  instruction: {
    type: 'string',
    default: "Answer with the option's letter from the given choices directly.",
    description: 'Last line of each question: how to answer.',
  },
  subtitles: {
    type: 'boolean',
    default: true,
    description: 'Puts subtitles, in turn with marks for the frames, before the question, as published.',
  },
} as const

export default operator({
  summary: 'Reads LongVideoBench: `lvb_val.json`, `videos/` and `subtitles/`.',
  config,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readLongVideoBench, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readLongVideoBench),
})

const known = (
  'id video_id video_path subtitle_path question question_wo_referring_query candidates correct_choice position ' +
  'topic_category question_category level duration_group starting_timestamp_for_subtitles duration view_count'
).split(' ')

interface LongVideoBenchSettings {
  path: string
  instruction: string
  subtitles: boolean
}

export async function readLongVideoBench(settings: LongVideoBenchSettings): Promise<ReadBenchmark> {
  const path = benchmarkRoot(settings.path, ['lvb_val.json'])
  const rows = await readRows(join(path, 'lvb_val.json'))
  const find = clipFinder(path)
  const findings = unknownFields(rows, known, 'lvb_val.json')
  const questions = rows.map((row, i) =>
    questionOf(row, `lvb_val.json: item ${i}`, { ...settings, path }, find),
  )
  return { name: 'longvideobench', headline: 'micro', questions, excluded: [], findings }
}

function questionOf(row: Row, where: string, settings: LongVideoBenchSettings, find: FindClip): Question {
  const { path, instruction } = settings
  const candidates = texts(row, 'candidates', where)
  const letters = lettersOf(candidates.length)
  const lines = candidates.map((candidate, n) => `${letters[n]}. ${candidate}`)
  const { correct_choice: choice, starting_timestamp_for_subtitles: start, duration } = row
  const file = subtitlesOf(row, path)
  const startSeconds = typeof start === 'number' ? start : 0
  const name = text(row, 'video_path', where)
  const video = find([`videos/${name}`, name])
  return {
    video,
    question: [`Question: ${text(row, 'question', where)}`, ...lines, instruction].join('\n'),
    fields: {
      id: `longvideobench/${idOf(row, 'id', where)}`,
      benchmark: 'longvideobench',
      clip: relative(path, video),
      tasks: [text(row, 'question_category', where)],
      groups: { duration: String(row.duration_group), topic: String(row.topic_category) },
      options: candidates,
      letters,
      answer: typeof choice === 'number' ? (letters[choice] ?? null) : null,
      frames: { rule: 'S', unique: false, bounded: false },
      duration,
      ...(settings.subtitles && {
        subtitles: { path: file, form: 'interleaved' as const, startSeconds },
      }),
    },
  }
}

const subtitlesOf = (row: Row, path: string): string =>
  inside(path, `subtitles/${String(row.subtitle_path)}`, 'subtitle_path')
