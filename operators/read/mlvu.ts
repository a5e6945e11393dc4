import { readdir } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { isMacCopy } from '../files/video-extensions.ts'
import type { Question } from '../question.ts'
import { stripEnd } from '../text/python.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder, type FindClip } from './benchmark-folder.ts'
import type { Finding } from './benchmark-kinds.ts'
import { letterOf, lettersOf, parseJson, type Row, text, texts, unknownFields } from './benchmark-rows.ts'
import { ReadError } from './read-error.ts'
import { readText } from './rows.ts'

/** Generation tasks have no candidates and are not asked. The accuracy quoted is the mean over the tasks. */
export default operator({
  summary: 'Reads MLVU, the development set with its files by task or the test set with six options.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: settings => inspectBenchmark(settings.path, () => readMlvu(settings)),
  run: (_, settings, context) => benchmarkStreams(context, settings, () => readMlvu(settings)),
})

/** The questions of the test set are next to the folder of its clips, or inside it. */
const marks = [
  'json',
  'test_multi_choice_tasks.json',
  'test_question.json',
  'test_mcq.json',
  'test-ground-truth',
]
const known = 'video duration question candidates answer question_type scoring_points question_id'.split(' ')

export async function readMlvu(settings: { path: string; instruction: string }): Promise<ReadBenchmark> {
  const path = benchmarkRoot(settings.path, marks)
  const files = await annotationFiles(path)
  const find = clipFinder(path)
  const seen = new Set<string>()
  const truths = new Map(files.flatMap(({ rows }) => rows.flatMap(truthOf)))
  const questions: Question[] = []
  const excluded: { id: string; reason: string }[] = []
  const findings: Finding[] = []
  for (const { file, rows } of files) {
    const stem = basename(file, '.json')
    const asked = rows.filter(row => 'question' in row)
    findings.push(...unknownFields(asked, known, file))
    for (const [i, row] of asked.entries()) {
      const id = `mlvu/${typeof row.question_id === 'string' ? row.question_id : `${stem}/${i}`}`
      // the test set states a question again with its answer
      if (seen.has(id)) continue
      seen.add(id)
      if (Array.isArray(row.candidates))
        questions.push(questionOf(row, id, { ...settings, path, stem, truths, find }))
      else {
        excluded.push({ id, reason: 'generation: it has no candidates' })
        findings.push({ code: 'not-asked', about: `${id} (generation)` })
      }
    }
  }
  if (questions.length === 0)
    throw new ReadError('no-questions', `${settings.path}: no question with candidates`)
  return { name: 'mlvu', headline: 'tasks', questions, excluded, findings }
}

interface Source {
  path: string
  instruction: string
  /** Name of the annotation file, and of the folder of its clips. */
  stem: string
  truths: ReadonlyMap<string, unknown>
  find: FindClip
}

function questionOf(row: Row, id: string, { path, instruction, stem, truths, find }: Source): Question {
  const candidates = texts(row, 'candidates', id)
  const letters = lettersOf(candidates.length)
  const name = text(row, 'video', id)
  const isTest = typeof row.question_id === 'string'
  const truth = row.answer ?? truths.get(String(row.question_id))
  const lines = candidates.map((candidate, n) => `(${letters[n]}) ${candidate}`)
  const places = [
    `video/${stem}/${name}`,
    `video/${name}`,
    `videos/${name}`,
    `${stem}/${name}`,
    name,
    `MLVU_Test/video/${name}`,
  ]
  const video = find(isTest ? places.slice(1) : places)
  const words = stripEnd([text(row, 'question', id), ...lines].join('\n'))
  return {
    video,
    question: `${words}\n${instruction}`,
    fields: {
      id,
      benchmark: 'mlvu',
      clip: relative(path, video),
      tasks: [isTest ? String(row.question_type) : stem],
      groups: {},
      options: candidates,
      letters,
      // the test set's truth comes as a letter too
      answer:
        letterOf(candidates, truth) ?? (isTest && letters.includes(String(truth)) ? String(truth) : null),
      frames: { rule: 'L', unique: true, bounded: false },
    },
  }
}

/** A row of the test set's ground truth: it names a question and its answer. */
function truthOf({ question_id, answer, option }: Row): [string, unknown][] {
  const truth = answer ?? option
  return typeof question_id === 'string' && truth !== undefined ? [[question_id, truth]] : []
}

async function annotationFiles(path: string): Promise<{ file: string; rows: Row[] }[]> {
  const found: { file: string; rows: Row[] }[] = []
  for (const folder of ['json', '.', 'test-ground-truth', '../test-ground-truth']) {
    const names = await readdir(join(path, folder)).catch(() => [])
    for (const name of names.filter(name => name.endsWith('.json') && !isMacCopy(name)).sort()) {
      const file = join(folder, name)
      const value = parseJson(join(path, file), await readText(join(path, file)))
      if (Array.isArray(value) && value.every(isObject)) found.push({ file, rows: value })
    }
  }
  if (found.length > 0) return found
  throw new ReadError('no-file', `${path}: must hold json/ with a list of questions in each file`)
}
