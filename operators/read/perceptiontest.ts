import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder } from './benchmark-folder.ts'
import { idOf, lettersOf, type PlacedRow, text, texts } from './benchmark-rows.ts'
import { choiceQuestion } from './choice-question.ts'
import { ReadError } from './read-error.ts'
import { readObject, readTable } from './table.ts'

export default operator({
  summary:
    'Reads the multiple-choice questions of PerceptionTest, as its JSON file or as Parquet, and their clips.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readPerceptionTest, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readPerceptionTest),
})

const tables = [
  'mc_question_val/validation-00000-of-00001.parquet',
  'mc_question_valid.json',
  'mc_question_valid_annotations/mc_question_valid.json',
  'all_valid.json',
]

export async function readPerceptionTest(settings: {
  path: string
  instruction: string
}): Promise<ReadBenchmark> {
  const root = benchmarkRoot(settings.path, tables)
  const file =
    tables.map(name => join(root, name)).find(name => existsSync(name)) ?? join(root, tables[1] ?? '')
  const find = clipFinder(root)
  const rows = file.endsWith('.json') ? await rowsByClip(file) : await readTable(file)
  const questions = rows.map(({ where, row }) => {
    const name = text(row, 'video_name', where)
    const options = texts(row, 'options', where)
    return choiceQuestion({
      benchmark: 'perceptiontest',
      id: `${name}_${idOf(row, 'question_id', where)}`,
      root,
      video: find(
        ['videos', 'valid_videos/videos', 'valid_videos', 'valid', '.'].map(
          folder => `${folder}/${name}.mp4`,
        ),
      ),
      question: text(row, 'question', where),
      options,
      answer: lettersOf(options.length)[Number(row.answer_id ?? -1)] ?? null,
      tasks: [String(row.reasoning)],
      groups: { area: String(row.area) },
      instruction: settings.instruction,
    })
  })
  return { name: 'perceptiontest', headline: 'micro', questions, excluded: [], findings: [] }
}

/** The JSON file has the questions by clip: each becomes a row like those of the Parquet file. */
async function rowsByClip(file: string): Promise<PlacedRow[]> {
  return Object.entries(await readObject(file)).flatMap(([name, clip]) => {
    const where = `${file}: ${name}`
    const list = isObject(clip) ? (clip.mc_question ?? []) : undefined
    if (!Array.isArray(list) || !list.every(isObject))
      throw new ReadError('bad-question', `${where}: mc_question must be a list of questions`)
    return list.map((row, i) => ({ where, row: { ...row, video_name: name, question_id: row.id ?? i } }))
  })
}
