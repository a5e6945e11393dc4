import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import type { Question } from '../question.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder, type FindClip } from './benchmark-folder.ts'
import type { Finding } from './benchmark-kinds.ts'
import { idOf, type Row, readLines, text, unknownFields } from './benchmark-rows.ts'
import { clipsByAddress } from './downloaded-clips.ts'
import { optionsIn } from './inline-options.ts'
import { ReadError } from './read-error.ts'

/** A question may belong to several types and counts in each of them. */
export default operator({
  summary: 'Reads LVBench: `video_info.meta.jsonl`, one clip a line, and the clips in `videos/`.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readLvbench, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readLvbench),
})

const files = ['video_info.meta.jsonl', 'data/video_info.meta.jsonl']
const knownOfClip = 'key type video_info qa'.split(' ')
const knownOfQuestion = 'uid question answer question_type time_reference'.split(' ')

export async function readLvbench(settings: { path: string; instruction: string }): Promise<ReadBenchmark> {
  const path = benchmarkRoot(settings.path, files)
  const file =
    files.map(name => join(path, name)).find(name => existsSync(name)) ?? join(path, files[0] ?? '')
  const clips = (await readLines(file)).map(({ where, row }) => {
    if (Array.isArray(row.qa) && row.qa.every(isObject)) return { clip: row, rows: row.qa }
    throw new ReadError('bad-question', `${where}: must be an object with a list qa`)
  })
  const findings: Finding[] = [
    ...unknownFields(
      clips.map(({ clip }) => clip),
      knownOfClip,
      'clips',
    ),
    ...unknownFields(
      clips.flatMap(({ rows }) => rows),
      knownOfQuestion,
      'questions',
    ),
  ]
  const find = clipFinder(path)
  const downloaded = await clipsByAddress(path)
  const source = { path, file, instruction: settings.instruction, find, downloaded }
  const questions = clips.flatMap(({ clip, rows }) => rows.map(row => questionOf(clip, row, source)))
  return { name: 'lvbench', headline: 'micro', questions, excluded: [], findings }
}

interface Source {
  path: string
  file: string
  instruction: string
  find: FindClip
  /** Clips by the id of their address, where a downloader numbered them. */
  downloaded: ReadonlyMap<string, string>
}

function questionOf(clip: Row, row: Row, { path, file, instruction, find, downloaded }: Source): Question {
  const id = `lvbench/${idOf(row, 'uid', file)}`
  const where = `${file}: ${id}`
  const name = text(clip, 'key', where)
  const words = text(row, 'question', where)
  const options = optionsIn(words)
  const letters = options.map(({ letter }) => letter)
  const answer = text(row, 'answer', where)
  const types = Array.isArray(row.question_type) ? row.question_type.map(String) : [String(row.question_type)]
  const places = ['videos', 'video', 'all_videos', '.'].map(folder => `${folder}/${name}.mp4`)
  const usual = find(places)
  const video = existsSync(usual) ? usual : (downloaded.get(name) ?? usual)
  return {
    video,
    question: `${words}\n${instruction}`,
    fields: {
      id,
      benchmark: 'lvbench',
      clip: relative(path, video),
      tasks: types,
      groups: { genre: String(clip.type) },
      options: options.map(({ words }) => words),
      letters,
      answer: letters.includes(answer) ? answer : null,
      frames: { rule: 'L', unique: false, bounded: false },
    },
  }
}
