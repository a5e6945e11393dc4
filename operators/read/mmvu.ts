import { basename, dirname, join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import type { Question } from '../question.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder, type FindClip } from './benchmark-folder.ts'
import type { Finding } from './benchmark-kinds.ts'
import { type Row, readRows, text, unknownFields } from './benchmark-rows.ts'

/** Open-ended questions are not asked: the published scripts skip them, and only a judge could score them. */
export default operator({
  summary: 'Reads the multiple-choice questions of MMVU: `validation.json` and `videos/` by subject.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: settings => inspectBenchmark(settings.path, () => readMmvu(settings)),
  run: (_, settings, context) => benchmarkStreams(context, settings, () => readMmvu(settings)),
})

const prefix = 'https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main'
const known = 'id video youtube_url question_type metadata question choices answer'.split(' ')

export async function readMmvu(settings: { path: string; instruction: string }): Promise<ReadBenchmark> {
  const path = benchmarkRoot(settings.path, ['validation.json'])
  const file = join(path, 'validation.json')
  const find = clipFinder(path)
  const rows = await readRows(file)
  const isAsked = (row: Row) => row.question_type === 'multiple-choice'
  const open = rows.filter(row => !isAsked(row)).map(row => `mmvu/${text(row, 'id', file)}`)
  const findings: Finding[] = [
    ...unknownFields(rows, known, 'validation.json'),
    ...open.map(id => ({ code: 'not-asked' as const, about: `${id} (open-ended)` })),
  ]
  const excluded = open.map(id => ({ id, reason: 'open-ended: only a judge could score it' }))
  const questions = rows
    .filter(isAsked)
    .map((row, i) => questionOf(row, `${file}: item ${i}`, { ...settings, path }, find))
  return { name: 'mmvu', headline: 'micro', questions, excluded, findings }
}

function questionOf(
  row: Row,
  where: string,
  { path, instruction }: { path: string; instruction: string },
  find: FindClip,
): Question {
  const choices = Object.entries(isObject(row.choices) ? row.choices : {})
  const letters = choices.map(([letter]) => letter)
  const options = choices.map(([, option]) => String(option))
  const address = text(row, 'video', where)
  const local = address.startsWith(prefix) ? address.slice(prefix.length) : address
  const name = local.replace(/^\/+/, '')
  const video = find([name, `videos/${name}`])
  const answer = text(row, 'answer', where)
  const lines = choices.map(([letter, option]) => `${letter}. ${option}`)
  return {
    video,
    question: [text(row, 'question', where), ...lines, instruction].join('\n'),
    fields: {
      id: `mmvu/${text(row, 'id', where)}`,
      benchmark: 'mmvu',
      clip: relative(path, video),
      // the folder: in a few rows of the public file it and the subject stated disagree
      tasks: [basename(dirname(local))],
      groups: {},
      options,
      letters,
      answer: letters.includes(answer) ? answer : null,
      frames: { rule: 'L', unique: false, bounded: false },
    },
  }
}
