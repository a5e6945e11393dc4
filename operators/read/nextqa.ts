import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { benchmarkRoot, clipFinder } from './benchmark-folder.ts'
import { idOf, lettersOf, type Row, text } from './benchmark-rows.ts'
import { choiceQuestion } from './choice-question.ts'
import { readObject, readTable } from './table.ts'

const config = {
  ...benchmarkFields,
  split: { type: 'string', enum: ['test', 'val'], default: 'test', description: 'Part of the questions.' },
} as const

export default operator({
  summary:
    'Reads the multiple-choice questions of NExT-QA: `test.csv` or its Parquet file, and the clips of VidOR.',
  config,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readNextQa, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readNextQa),
})

const mapName = 'map_vid_vidorID.json'
const kinds: Readonly<Record<string, string>> = { C: 'causal', T: 'temporal', D: 'descriptive' }

export async function readNextQa(settings: {
  path: string
  instruction: string
  split: 'test' | 'val'
}): Promise<ReadBenchmark> {
  const { split, instruction } = settings
  const tables = [
    `${split}.csv`,
    `nextqa/${split}.csv`,
    `dataset/nextqa/${split}.csv`,
    `MC/${split}-00000-of-00001.parquet`,
  ]
  const root = benchmarkRoot(settings.path, tables)
  const file =
    tables.map(name => join(root, name)).find(name => existsSync(name)) ?? join(root, `${split}.csv`)
  const map = await readMap(root)
  const find = clipFinder(root)
  const questions = (await readTable(file)).map(({ where, row }) => {
    const name = idOf(row, 'video', where)
    const options = [0, 1, 2, 3, 4].map(i => idOf(row, `a${i}`, where))
    const type = text(row, 'type', where)
    const places = [Object.hasOwn(map, name) ? map[name] : undefined, name].flatMap(place =>
      typeof place === 'string'
        ? ['NExTVideo', 'videos', 'video', '.'].map(folder => `${folder}/${place}.mp4`)
        : [],
    )
    return choiceQuestion({
      benchmark: 'nextqa',
      id: `${name}_${idOf(row, 'qid', where)}`,
      root,
      video: find(places),
      question: text(row, 'question', where),
      options,
      answer: lettersOf(options.length)[Number(row.answer ?? -1)] ?? null,
      // the official script counts questions about before (TP) and after (TN) as one type
      tasks: [type === 'TP' ? 'TN' : type],
      groups: { kind: kinds[type[0] ?? ''] ?? type },
      instruction,
    })
  })
  return { name: 'nextqa', headline: 'micro', questions, excluded: [], findings: [] }
}

/** Numbers of the clips to their paths in VidOR; empty where the clips are named by their numbers. */
async function readMap(root: string): Promise<Row> {
  const places = [mapName, `nextqa/${mapName}`, `dataset/nextqa/${mapName}`].map(name => join(root, name))
  const path = places.find(place => existsSync(place))
  return path === undefined ? {} : readObject(path)
}
