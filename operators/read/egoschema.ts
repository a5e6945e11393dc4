import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder } from './benchmark-folder.ts'
import { idOf, lettersOf, type PlacedRow, text, texts } from './benchmark-rows.ts'
import { choiceQuestion } from './choice-question.ts'
import { readObject, readTable } from './table.ts'

/** Only 500 of the 5,031 questions have a public answer. */
export default operator({
  summary:
    'Reads the questions of EgoSchema that have answers: `questions.json` with `subset_answers.json`, or the Parquet file of the subset.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readEgoSchema, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readEgoSchema),
})

const tables = ['Subset/test-00000-of-00001.parquet', 'questions.json']

export async function readEgoSchema(settings: { path: string; instruction: string }): Promise<ReadBenchmark> {
  const root = benchmarkRoot(settings.path, tables)
  const file =
    tables.map(name => join(root, name)).find(name => existsSync(name)) ?? join(root, 'questions.json')
  const rows = (await readTable(file)).map(rowOf)
  const isSubset = file.endsWith('.parquet')
  const answers = new Map(
    isSubset
      ? rows.map(({ id, answer }) => [id, answer])
      : Object.entries(await readObject(join(root, 'subset_answers.json'))),
  )
  const find = clipFinder(root)
  const questions = rows
    .filter(({ id }) => answers.has(id))
    .map(({ id, question, options }) =>
      choiceQuestion({
        benchmark: 'egoschema',
        id,
        root,
        video: find(['videos', 'good_clips_git', 'video', '.'].map(folder => `${folder}/${id}.mp4`)),
        question,
        options,
        answer: lettersOf(options.length)[Number(answers.get(id))] ?? null,
        tasks: ['all'],
        instruction: settings.instruction,
      }),
    )
  const excluded = rows
    .filter(({ id }) => !answers.has(id))
    .map(({ id }) => ({ id: `egoschema/${id}`, reason: 'its answer is not public' }))
  return { name: 'egoschema', headline: 'micro', questions, excluded, findings: [] }
}

/** The published file has a field for each option; the Parquet file a list, whose options may state their letters. */
function rowOf({ where, row }: PlacedRow) {
  const isList = 'option' in row
  return {
    id: isList ? idOf(row, 'video_idx', where) : idOf(row, 'q_uid', where),
    question: text(row, 'question', where),
    options: isList ? texts(row, 'option', where) : [0, 1, 2, 3, 4].map(i => text(row, `option ${i}`, where)),
    answer: row.answer,
  }
}
