import { basename, dirname, join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import type { Question } from '../question.ts'
import {
  benchmarkFields,
  benchmarkStreams,
  inspectBenchmark,
  type ReadBenchmark,
  type Worded,
} from './benchmark.ts'
import { benchmarkRoot, clipFinder, type FindClip } from './benchmark-folder.ts'
import type { Finding } from './benchmark-kinds.ts'
import { type Row, readRows, text, unknownFields } from './benchmark-rows.ts'

const config = {
  ...benchmarkFields,
  questions: {
    type: 'string',
    enum: ['choice', 'open', 'all'],
    default: 'choice',
    description:
      'Which questions are asked: with options, as the published scripts do; open-ended; or all. Open answers need a judge, or the rule of profile base.',
  },
} as const

export default operator({
  summary: 'Reads MMVU: `validation.json` and `videos/` by subject.',
  config,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readMmvu, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readMmvu),
})

const prefix = 'https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main'
const known = 'id video youtube_url question_type metadata question choices answer'.split(' ')

export interface MmvuSettings extends Worded {
  path: string
  questions: 'choice' | 'open' | 'all'
}

export async function readMmvu(settings: MmvuSettings): Promise<ReadBenchmark> {
  const path = benchmarkRoot(settings.path, ['validation.json'])
  const file = join(path, 'validation.json')
  const find = clipFinder(path)
  const rows = await readRows(file)
  const kindOf = (row: Row) => (row.question_type === 'multiple-choice' ? 'choice' : 'open')
  const isAsked = (row: Row) => settings.questions === 'all' || settings.questions === kindOf(row)
  const unasked = rows.filter(row => !isAsked(row))
  const about = (row: Row) => `mmvu/${text(row, 'id', file)}`
  const isOpen = settings.questions === 'choice'
  const findings: Finding[] = [
    ...unknownFields(rows, known, 'validation.json'),
    ...unasked.map(row => ({
      code: 'not-asked' as const,
      about: `${about(row)} (${isOpen ? 'open-ended' : 'with options'})`,
    })),
  ]
  const reason = isOpen ? 'open-ended: asked with questions=open or all' : 'with options: questions=open'
  const excluded = unasked.map(row => ({ id: about(row), reason }))
  const questions = rows
    .filter(isAsked)
    .map((row, i) => questionOf(row, `${file}: item ${i}`, { ...settings, path }, find))
  return { name: 'mmvu', headline: 'micro', questions, excluded, findings }
}

function questionOf(
  row: Row,
  where: string,
  { path, questions, instruction, openInstruction }: MmvuSettings,
  find: FindClip,
): Question {
  const isOpen = row.question_type !== 'multiple-choice'
  // an open question has the five letters too, without words
  const choices = isOpen ? [] : Object.entries(isObject(row.choices) ? row.choices : {})
  const words = text(row, 'question', where)
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
    question: [words, ...lines, isOpen ? openInstruction : instruction].join('\n'),
    fields: {
      id: `mmvu/${text(row, 'id', where)}`,
      benchmark: 'mmvu',
      clip: relative(path, video),
      // the folder: in a few rows of the public file it and the subject stated disagree
      tasks: [basename(dirname(local))],
      groups: questions === 'all' ? { type: isOpen ? 'open-ended' : 'multiple-choice' } : {},
      options,
      letters,
      answer: isOpen || letters.includes(answer) ? answer : null,
      ...(isOpen && { open: { rule: 'answer' as const, words } }),
      frames: { rule: 'L', unique: false, bounded: false },
    },
  }
}
