import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder } from './benchmark-folder.ts'
import { idOf, lettersOf, text, texts } from './benchmark-rows.ts'
import { choiceQuestion } from './choice-question.ts'
import { readTable } from './table.ts'

/**
 * Half of the questions are answered by a number, which earns its mean relative accuracy. The average quoted is the mean
 * over eight kinds of questions; the accuracy of relative direction is the mean of those of its three difficulties.
 */
export default operator({
  summary: 'Reads VSI-Bench: questions about sizes, distances, counts and routes in filmed rooms.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readVsiBench, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readVsiBench),
})

const unions = {
  object_rel_direction: ['easy', 'medium', 'hard'].map(level => `object_rel_direction_${level}`),
}

const tables = ['test.jsonl', 'test-00000-of-00001.parquet', 'test.parquet']

export async function readVsiBench(settings: {
  path: string
  instruction: string
  numberInstruction: string
}): Promise<ReadBenchmark> {
  const root = benchmarkRoot(settings.path, tables)
  const file = tables.map(name => join(root, name)).find(name => existsSync(name)) ?? join(root, 'test.jsonl')
  const find = clipFinder(root)
  const questions = (await readTable(file)).map(({ where, row }) => {
    const dataset = text(row, 'dataset', where)
    const scene = idOf(row, 'scene_name', where)
    const options = (row.options ?? null) === null ? [] : texts(row, 'options', where)
    const truth = String(row.ground_truth ?? '')
    const type = text(row, 'question_type', where)
    const isNumber = options.length === 0
    return choiceQuestion({
      benchmark: 'vsi-bench',
      id: idOf(row, 'id', where),
      root,
      video: find([`${dataset}/${scene}.mp4`, `videos/${dataset}/${scene}.mp4`, `${scene}.mp4`]),
      question: text(row, 'question', where),
      options,
      answer: isNumber
        ? numberOrNull(truth)
        : (lettersOf(options.length).find(letter => letter === truth) ?? null),
      tasks: [type],
      groups: { dataset },
      instruction: isNumber ? settings.numberInstruction : settings.instruction,
    })
  })
  return { name: 'vsi-bench', headline: 'tasks', unions, questions, excluded: [], findings: [] }
}

const numberOrNull = (truth: string): string | null =>
  truth.trim() !== '' && Number.isFinite(Number(truth)) ? truth.trim() : null
