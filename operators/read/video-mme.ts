import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import { operator } from '../../engine/operator.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import type { Question } from '../question.ts'
import {
  benchmarkFields,
  benchmarkStreams,
  firstPlace,
  inspectBenchmark,
  lettersOf,
  type ReadBenchmark,
  type Row,
  text,
  texts,
  unknownFields,
} from './benchmark.ts'
import type { Finding } from './benchmark-kinds.ts'
import { ReadError } from './read-error.ts'

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
    description:
      'Puts the lines spoken at the sampled frames before the question, where a clip has subtitles.',
  },
} as const

/** Both profiles see the same frames: rule L, each once. */
export default operator({
  summary: 'Reads Video-MME: its Parquet file, `data/` with the clips and `subtitle/`.',
  config,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: settings => inspectBenchmark(() => readVideoMme(settings)),
  run: (_, settings, context) => benchmarkStreams(context, settings, () => readVideoMme(settings)),
})

const table = 'videomme/test-00000-of-00001.parquet'
const known =
  'video_id duration domain sub_category url videoID question_id task_type question options answer'.split(' ')

export async function readVideoMme(settings: {
  path: string
  instruction: string
  duration: string
  subtitles: boolean
}): Promise<ReadBenchmark> {
  const { path, duration } = settings
  const file = firstPlace(path, [table, 'test-00000-of-00001.parquet'])
  const rows = (await readParquet(file)).filter(row => duration === 'all' || row.duration === duration)
  const findings: Finding[] = unknownFields(rows, known, table)
  const questions = rows.map((row, i) => questionOf(row, `${file}: row ${i}`, settings))
  return { name: 'video-mme', headline: 'groups.duration', questions, excluded: [], findings }
}

function questionOf(
  row: Row,
  where: string,
  { path, instruction, subtitles }: { path: string; instruction: string; subtitles: boolean },
): Question {
  const options = texts(row, 'options', where)
  const name = text(row, 'videoID', where)
  const places = ['data', 'video'].flatMap(folder =>
    ['mp4', 'MP4', 'mkv'].map(ending => `${folder}/${name}.${ending}`),
  )
  const letters = lettersOf(options.length)
  const answer = text(row, 'answer', where)
  const srt = join(path, 'subtitle', `${name}.srt`)
  const video = firstPlace(path, places)
  return {
    video,
    question: [text(row, 'question', where), 'Options:', ...options, instruction].join('\n'),
    fields: {
      id: `videomme/${text(row, 'question_id', where)}`,
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
      ...(subtitles &&
        existsSync(srt) && { subtitles: { path: srt, form: 'list' as const, startSeconds: 0 } }),
    },
  }
}

async function readParquet(file: string): Promise<Row[]> {
  const bytes = await readFile(file).catch((error: unknown) => {
    const reason = messageOf(error)
    throw new ReadError('no-file', `${file}: cannot be read: ${reason}`)
  })
  try {
    const { buffer, byteOffset, byteLength } = bytes
    // a copy, for Node keeps small files in a buffer that they share; a file's memory is never a SharedArrayBuffer
    const whole = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
    return await parquetReadObjects({ file: whole })
  } catch (error) {
    const reason = messageOf(error)
    throw new ReadError('bad-question', `${file}: must be a Parquet file: ${reason}`)
  }
}
