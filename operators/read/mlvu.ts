import { readdir } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { isMacCopy } from '../files/video-extensions.ts'
import type { OpenQuestion, Question } from '../question.ts'
import { stripEnd } from '../text/python.ts'
import {
  benchmarkFields,
  benchmarkStreams,
  inspectBenchmark,
  type ReadBenchmark,
  type Worded,
} from './benchmark.ts'
import { benchmarkRoot, clipFinder, type FindClip } from './benchmark-folder.ts'
import type { Finding } from './benchmark-kinds.ts'
import { letterOf, lettersOf, parseJson, type Row, text, texts, unknownFields } from './benchmark-rows.ts'
import { ReadError } from './read-error.ts'
import { readText } from './rows.ts'

const config = {
  ...benchmarkFields,
  questions: {
    type: 'string',
    enum: ['choice', 'open'],
    default: 'choice',
    description:
      'Which questions are asked: with options; or the generation tasks, sub-scene captioning and video summary, which need a judge.',
  },
} as const

/** Of either kind the mean over the tasks is quoted: M-Avg of the questions with options, G-Avg of the generation tasks. */
export default operator({
  summary: 'Reads MLVU, the development set with its files by task or the test set with six options.',
  config,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readMlvu, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readMlvu),
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

export interface MlvuSettings extends Worded {
  path: string
  questions: 'choice' | 'open'
}

export async function readMlvu(settings: MlvuSettings): Promise<ReadBenchmark> {
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
      const isOpen = !Array.isArray(row.candidates)
      if (isOpen === (settings.questions === 'open')) {
        const source = { ...settings, path, stem, truths, find }
        questions.push(questionOf(row, id, source))
      } else {
        excluded.push({ id, reason: isOpen ? 'generation: asked with questions=open' : 'it has candidates' })
        findings.push({ code: 'not-asked', about: `${id} (${isOpen ? 'generation' : 'with candidates'})` })
      }
    }
  }
  if (questions.length === 0)
    throw new ReadError(
      'no-questions',
      `${settings.path}: no question ${settings.questions === 'open' ? 'without' : 'with'} candidates`,
    )
  return { name: 'mlvu', headline: 'tasks', questions, excluded, findings }
}

interface Source extends MlvuSettings {
  /** Name of the annotation file, and of the folder of its clips. */
  stem: string
  truths: ReadonlyMap<string, unknown>
  find: FindClip
}

function questionOf(row: Row, id: string, source: Source): Question {
  const { path, stem, truths, find } = source
  // only the test set has questions with ids of their own
  const isTest = typeof row.question_id === 'string'
  const truth = row.answer ?? truths.get(String(row.question_id))
  const video = find(placesOf(text(row, 'video', id), stem, isTest))
  const isOpen = !Array.isArray(row.candidates)
  const { question, ...fields } = isOpen
    ? openPart(row, id, truth, source)
    : choicePart(row, id, truth, isTest, source)
  return {
    video,
    question,
    fields: {
      id,
      benchmark: 'mlvu',
      clip: relative(path, video),
      tasks: [isTest ? String(row.question_type) : stem],
      groups: {},
      ...fields,
      frames: { rule: 'L', unique: true, bounded: false },
    },
  }
}

function choicePart(row: Row, id: string, truth: unknown, isTest: boolean, { instruction }: Source) {
  const options = texts(row, 'candidates', id)
  const letters = lettersOf(options.length)
  const lines = options.map((option, n) => `(${letters[n]}) ${option}`)
  // the test set's truth comes as a letter too
  const letter = isTest && letters.includes(String(truth)) ? String(truth) : null
  return {
    question: `${stripEnd([text(row, 'question', id), ...lines].join('\n'))}\n${instruction}`,
    options,
    letters,
    answer: letterOf(options, truth) ?? letter,
  }
}

/**
 * A caption of a sub-scene or a summary. The official script asks the question and nothing else; with profile strict the
 * model is told to think first, as with all questions.
 */
function openPart(row: Row, id: string, truth: unknown, { captionInstruction, stem }: Source) {
  const words = stripEnd(text(row, 'question', id))
  const points = Array.isArray(row.scoring_points) ? texts(row, 'scoring_points', id) : undefined
  const isCaption = points !== undefined || /sub_?(scene|plot)/i.test(`${stem} ${row.question_type}`)
  const rule: OpenQuestion['rule'] = isCaption ? 'points' : 'summary'
  return {
    question: captionInstruction === '' ? words : `${words}\n${captionInstruction}`,
    options: [],
    letters: [],
    answer: typeof truth === 'string' ? truth : null,
    open: { rule, words, ...(points && { points }) },
  }
}

const placesOf = (name: string, stem: string, isTest: boolean): string[] => [
  ...(isTest ? [] : [`video/${stem}/${name}`]),
  `video/${name}`,
  `videos/${name}`,
  `${stem}/${name}`,
  name,
  `MLVU_Test/video/${name}`,
]

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
