import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder } from './benchmark-folder.ts'
import { idOf, lettersOf, type PlacedRow, text } from './benchmark-rows.ts'
import { type ChoiceRow, choiceQuestion } from './choice-question.ts'
import { optionsIn } from './inline-options.ts'
import { ReadError } from './read-error.ts'
import { readObject, readTable } from './table.ts'

/** The fourth kind, captions that the model writes, needs a judge and is not asked. */
export default operator({
  summary: 'Reads TempCompass: its multiple-choice, yes-or-no and caption-matching questions about time.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readTempCompass, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readTempCompass),
})

const kinds = ['multi-choice', 'yes_no', 'caption_matching'] as const

export async function readTempCompass(settings: {
  path: string
  instruction: string
}): Promise<ReadBenchmark> {
  const marks = kinds.flatMap(kind => [`questions/${kind}.json`, `${kind}.json`, kind])
  const root = benchmarkRoot(settings.path, marks)
  const find = clipFinder(root)
  const questions = []
  for (const kind of kinds)
    for (const { where, row } of await rowsOf(root, kind)) {
      const name = idOf(row, 'video_id', where)
      questions.push(
        choiceQuestion({
          benchmark: 'tempcompass',
          id: `${kind}/${idOf(row, 'id', where)}`,
          root,
          video: find(['videos', 'video', '.'].map(folder => `${folder}/${name}.mp4`)),
          ...choicesOf(kind, text(row, 'question', where), text(row, 'answer', where)),
          tasks: [kind],
          groups: { dimension: String(row.dim) },
          instruction: settings.instruction,
        }),
      )
    }
  if (questions.length === 0)
    throw new ReadError(
      'no-file',
      `${settings.path}: must hold questions/multi-choice.json or multi-choice/ with Parquet`,
    )
  return { name: 'tempcompass', headline: 'micro', questions, excluded: [], findings: [] }
}

/** The JSON file has the questions by clip and dimension, the Parquet file one a row. */
async function rowsOf(root: string, kind: string): Promise<PlacedRow[]> {
  const parquet = join(root, kind, 'test-00000-of-00001.parquet')
  if (existsSync(parquet))
    return (await readTable(parquet)).map(({ where, row }, i) => ({ where, row: { ...row, id: i } }))
  const file = [`questions/${kind}.json`, `${kind}.json`]
    .map(name => join(root, name))
    .find(name => existsSync(name))
  if (file === undefined) return []
  return Object.entries(await readObject(file)).flatMap(([name, byDimension]) =>
    Object.entries(isObject(byDimension) ? byDimension : {}).flatMap(([dim, list]) =>
      (Array.isArray(list) ? list.filter(isObject) : []).map((row, i) => ({
        where: `${file}: ${name}: ${dim}: item ${i}`,
        row: { ...row, video_id: name, dim, id: `${name}/${dim}/${i}` },
      })),
    ),
  )
}

type Choices = Pick<ChoiceRow, 'question' | 'options' | 'answer'>

/** Options are lines of the question: `A. …`, or captions after a name such as `Option 1`. Answers begin with that name. */
function choicesOf(kind: (typeof kinds)[number], words: string, said: string): Choices {
  if (kind === 'yes_no') {
    const options = ['yes', 'no']
    return {
      question: words,
      options,
      answer: lettersOf(2)[options.indexOf(said.trim().toLowerCase())] ?? null,
    }
  }
  if (kind === 'multi-choice') {
    const options = optionsIn(words)
    const answer = options.find(
      ({ letter, words: option }) => said.startsWith(`${letter}.`) || said === option,
    )
    const first = words.search(/\n\s{0,8}\(?A[.):]/)
    const question = first < 0 ? words : words.slice(0, first)
    return { question, options: options.map(option => option.words), answer: answer?.letter ?? null }
  }
  const [question = '', ...lines] = words.split('\n').filter(line => line.trim() !== '')
  const captions = lines.map(
    line => /^([A-Za-z]{0,20} ?[A-Z0-9])[.:] ?(.*)$/.exec(line.trim()) ?? ['', '', line],
  )
  const index = captions.findIndex(
    ([all, label]) => said === all || (label !== '' && said.startsWith(`${label}:`)),
  )
  return {
    question,
    options: captions.map(([, , caption = '']) => caption),
    answer: lettersOf(captions.length)[index] ?? null,
  }
}
