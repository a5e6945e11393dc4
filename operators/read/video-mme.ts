import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { inside } from '../../engine/shared/inside.ts'
import type { Question } from '../question.ts'
import {
  benchmarkFields,
  benchmarkStreams,
  inspectBenchmark,
  type ReadBenchmark,
  type Wording,
} from './benchmark.ts'
import { benchmarkRoot, clipFinder, type FindClip } from './benchmark-folder.ts'
import type { Finding } from './benchmark-kinds.ts'
import { idOf, lettersOf, type Row, text, texts, unknownFields } from './benchmark-rows.ts'
import { readParquet } from './parquet.ts'

const config = {
  ...benchmarkFields,
  duration: {
    type: 'string',
    enum: ['all', 'short', 'medium', 'long'],
    default: 'all',
    description: 'Asks only about clips of this length; the published scripts take one length a run.',
  },
  subtitles: {
    type: 'boolean',
    default: false,
    description: 'Puts the subtitles of the sampled frames before the question, if the clip has subtitles.',
  },
} as const

/** All profiles see the same frames: rule L, each once. */
export default operator({
  summary: 'Reads Video-MME: its Parquet file, `data/` with the clips and `subtitle/`.',
  config,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readVideoMme, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readVideoMme),
})

const table = 'videomme/test-00000-of-00001.parquet'
const tables = [table, 'test-00000-of-00001.parquet']
const known =
  'video_id duration domain sub_category url videoID question_id task_type question options answer'.split(' ')

export async function readVideoMme(
  settings: Wording & { path: string; duration: string; subtitles: boolean },
): Promise<ReadBenchmark> {
  const { duration } = settings
  const path = benchmarkRoot(settings.path, tables)
  const file = tables.map(name => join(path, name)).find(name => existsSync(name)) ?? join(path, table)
  const rows = (await readParquet(file)).filter(row => duration === 'all' || row.duration === duration)
  const find = clipFinder(path)
  const findings: Finding[] = unknownFields(rows, known, table)
  const questions = rows.map((row, i) => questionOf(row, `${file}: row ${i}`, { ...settings, path }, find))
  return { name: 'video-mme', headline: 'groups.duration', questions, excluded: [], findings }
}

function questionOf(
  row: Row,
  where: string,
  { path, instruction, profile, subtitles }: Wording & { path: string; subtitles: boolean },
  find: FindClip,
): Question {
  const options = texts(row, 'options', where)
  const name = text(row, 'videoID', where)
  const letters = lettersOf(options.length)
  const answer = text(row, 'answer', where)
  const srt = subtitlesOf(row, where, path)
  const video = find(['data', 'video', 'videos', '.'].map(folder => `${folder}/${name}.mp4`))
  return {
    video,
    question: [
      text(row, 'question', where),
      ...(profile === 'base' ? [] : ['Options:']),
      ...options,
      instruction,
    ].join('\n'),
    fields: {
      id: `videomme/${idOf(row, 'question_id', where)}`,
      benchmark: 'video-mme',
      clip: relative(path, video),
      tasks: [text(row, 'task_type', where)],
      groups: {
        duration: text(row, 'duration', where),
        domain: text(row, 'domain', where),
        sub_category: text(row, 'sub_category', where),
      },
      options,
      letters,
      answer: letters.includes(answer) ? answer : null,
      frames: { rule: 'L', unique: true, bounded: false },
      ...(subtitles && { subtitles: { path: srt, form: 'list' as const, startSeconds: 0 } }),
    },
  }
}

/** The file of a clip's subtitles where it should be, or where some copies of the benchmark have it. */
function subtitlesOf(row: Row, where: string, path: string): string {
  const name = text(row, 'videoID', where)
  const places = ['subtitle', 'subtitles'].flatMap(folder =>
    ['srt', 'SRT', 'vtt'].map(end => `${folder}/${name}.${end}`),
  )
  const paths = places.map(place => inside(path, place, 'videoID'))
  return paths.find(file => existsSync(file)) ?? at(paths, 0)
}
