import { relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import type { Question } from '../question.ts'
import {
  benchmarkFields,
  benchmarkStreams,
  firstPlace,
  inspectBenchmark,
  parseJson,
  type ReadBenchmark,
  type Row,
  readText,
  text,
  unknownFields,
} from './benchmark.ts'
import type { Finding } from './benchmark-kinds.ts'
import { ReadError } from './read-error.ts'

/** A question may belong to several types and counts in each of them. */
export default operator({
  summary: 'Reads LVBench: `video_info.meta.jsonl`, one clip a line, and the clips in `videos/`.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: settings => inspectBenchmark(() => readLvbench(settings)),
  run: (_, settings, context) => benchmarkStreams(context, settings, () => readLvbench(settings)),
})

const knownOfClip = 'key type video_info qa'.split(' ')
const knownOfQuestion = 'uid question answer question_type time_reference'.split(' ')

export async function readLvbench(settings: { path: string; instruction: string }): Promise<ReadBenchmark> {
  const file = firstPlace(settings.path, ['video_info.meta.jsonl', 'data/video_info.meta.jsonl'])
  const lines = (await readText(file)).split('\n')
  const clips = lines.flatMap((line, i) => {
    if (line.trim() === '') return []
    const clip = parseJson(`${file}:${i + 1}`, line)
    if (isObject(clip) && Array.isArray(clip.qa) && clip.qa.every(isObject)) return [{ clip, rows: clip.qa }]
    throw new ReadError('bad-question', `${file}:${i + 1}: must be an object with a list qa`)
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
  const questions = clips.flatMap(({ clip, rows }) => rows.map(row => questionOf(clip, row, file, settings)))
  return { name: 'lvbench', headline: 'micro', questions, excluded: [], findings }
}

function questionOf(
  clip: Row,
  row: Row,
  file: string,
  { path, instruction }: { path: string; instruction: string },
): Question {
  const id = `lvbench/${String(row.uid)}`
  const where = `${file}: ${id}`
  const name = text(clip, 'key', where)
  const words = text(row, 'question', where)
  const options = [...words.matchAll(/^\(([A-Z])\)[^\S\n]*(.*)$/gm)].map(([, letter, option]) => ({
    letter,
    option,
  }))
  const letters = options.map(({ letter }) => letter)
  const answer = text(row, 'answer', where)
  const types = Array.isArray(row.question_type) ? row.question_type.map(String) : [String(row.question_type)]
  const places = ['videos', 'video', 'all_videos', '.'].map(folder => `${folder}/${name}.mp4`)
  const video = firstPlace(path, places)
  return {
    video,
    question: `${words}\n${instruction}`,
    fields: {
      id,
      benchmark: 'lvbench',
      clip: relative(path, video),
      tasks: types,
      groups: { genre: String(clip.type) },
      options: options.map(({ option }) => option),
      letters,
      answer: letters.includes(answer) ? answer : null,
      frames: { rule: 'L', unique: false, bounded: false },
    },
  }
}
