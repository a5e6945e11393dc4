// Files whose ending does not say what they hold.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import conversations from '../../../operators/read/conversations.ts'
import jsonl from '../../../operators/read/jsonl.ts'
import { readMultipleChoice } from '../../../operators/read/multiple-choice.ts'
import { readQuestions } from '../../../operators/read/questions.ts'
import type { ReadError } from '../../../operators/read/read-error.ts'
import { readTable } from '../../../operators/read/table.ts'
import { repository } from '../../fixtures.ts'

const rows = ['Who runs?', 'Who, then?', 'Why?'].map((question, i) => ({
  video: `${i}.mp4`,
  question,
  options: ['cat', 'dog'],
  answer: 'B',
}))
const lines = rows.map(row => JSON.stringify(row)).join('\n')
const csv = 'video,question,a,b,answer\n0.mp4,Who runs?,cat,dog,B\n'
const tsv = csv.replaceAll(',', '\t')

const readers: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  training: path => readQuestions({ path, root: '', columns: {}, answerForm: 'letter' }),
  evaluation: path =>
    readMultipleChoice({
      ...{ path, clips: '', name: '', id: '', columns: {}, answerForm: 'letter', task: '' },
      ...{ instruction: 'Answer.', joint: '\n' },
    }),
  table: readTable,
}

/** What a reader says about a file, after its path. */
async function said(read: (path: string) => Promise<unknown>, path: string, content: string | Uint8Array) {
  writeFileSync(path, content)
  const error: ReadError | undefined = await read(path).then(
    () => undefined,
    (error: ReadError) => error,
  )
  const { code, message = 'it is read', remedy = '' } = error ?? {}
  return { code, text: message.replace(`${path}: `, ''), count: message.split('\n').length, remedy }
}

const cases: readonly [name: string, content: string | Uint8Array, found: RegExp, remedy: RegExp][] = [
  [
    'list.jsonl',
    JSON.stringify(rows, null, 2),
    /one JSON value a line, found one JSON list/,
    /\.json, or .*jq/,
  ],
  [
    'broken-list.jsonl',
    `${JSON.stringify(rows, null, 2).slice(0, -2)},]`,
    /found one JSON list/,
    /\.json, or/,
  ],
  [
    'rows-in-list.jsonl',
    `[${rows.map(row => JSON.stringify(row)).join(',\n')}]`,
    /found one JSON list/,
    /\.json/,
  ],
  [
    'long.jsonl',
    rows.map(row => JSON.stringify(row, null, 1)).join('\n'),
    /over several lines/,
    /jq -c \. FILE/,
  ],
  ['table.jsonl', csv, /a table whose columns are divided by commas/, /ends in \.csv:?$/],
  ['tabs.jsonl', tsv, /a table whose columns are divided by tabs/, /ends in \.tsv:?$/],
  ['table.json', csv, /found a table whose columns are divided by commas/, /\.csv/],
  ['tabs.csv', tsv, /divided by commas, found tabs/, /\.tsv/],
  ['commas.tsv', csv, /divided by tabs, found commas/, /\.csv/],
  ['lines.csv', lines, /found a JSON value a line/, /\.jsonl/],
  ['list.csv', JSON.stringify(rows), /found a JSON list/, /\.json/],
  ['parquet.jsonl', 'PAR1\x15\x04\x15', /must be text, found a Parquet file/, /\.parquet/],
  ['parquet.csv', 'PAR1\x15\x04\x15', /must be text, found a Parquet file/, /\.parquet/],
  ['packed.jsonl', gzipSync(lines), /found data packed by gzip/, /gunzip/],
  ['packed.csv', gzipSync(csv), /found data packed by gzip/, /gunzip/],
  ['packed.json', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x24, 0]), /found data packed by zstd/, /zstd -d/],
  ['sheet.csv', Buffer.from([0x50, 0x4b, 3, 4, 20, 0]), /found a zip archive/, /save the sheet/],
  ['wide.jsonl', Buffer.from(lines, 'utf16le'), /found UTF-16LE without a mark/, /iconv -f UTF-16LE/],
  ['wide.csv', Buffer.from(csv, 'utf16le').swap16(), /found UTF-16BE without a mark/, /iconv -f UTF-16BE/],
  [
    'clip.jsonl',
    readFileSync(join(repository, 'graphs/demo/quiz/videos/red.mp4')),
    /must be text, found a binary file/,
    /name one of rows/,
  ],
  ['picture.csv', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), /found a binary file/, /of rows/],
  ['text.parquet', csv, /must be a Parquet file, found text/, /\.csv/],
  ['packed.parquet', gzipSync(csv), /must be a Parquet file, found data packed by gzip/, /gunzip/],
]

for (const [reader, read] of Object.entries(readers))
  t.test(`${reader}: a file of another form is told as a whole, with what to do`, async t => {
    const folder = t.testdir({})
    for (const [name, content, found, remedy] of cases) {
      const one = await said(read, join(folder, name), content)
      t.match(one, { code: 'other-form', text: found, count: 1, remedy }, name)
    }
    if (reader !== 'training')
      t.match(await said(read, join(folder, 'lines.json'), lines), {
        code: 'other-form',
        text: /must be one JSON value, found one a line/,
        remedy: /\.jsonl/,
      })
    for (const ending of ['jsonl', 'csv', 'json', 'parquet']) {
      const path = join(folder, `folder.${ending}`)
      mkdirSync(path)
      await t.rejects(read(path), { code: 'no-file', message: `${path}: must be a file, found a folder` })
    }
  })

t.test('what such a remedy names is read', async t => {
  const folder = t.testdir({})
  const files: readonly [string, string | Uint8Array][] = [
    ['a.json', JSON.stringify(rows, null, 2)],
    ['b.jsonl', lines],
    ['c.csv', csv],
    ['d.tsv', tsv],
    ['e.csv', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(csv, 'utf16le')])],
  ]
  for (const [name, content] of files) {
    const read = readers.training as (path: string) => Promise<unknown>
    t.match(await said(read, join(folder, name), content), { text: 'it is read' }, name)
  }
})

t.test('a row that is no JSON among others is told by its line', async t => {
  const path = join(t.testdir({}), 'a.jsonl')
  const read = readers.training as (path: string) => Promise<unknown>
  for (const [i, bad] of ['{"video": "a.mp4",', '[1, 2', 'nothing'].entries()) {
    const content = [bad, ...lines.split('\n')].join('\n')
    t.match(await said(read, path, content), { code: 'bad-question', text: /:1: not JSON/ }, String(i))
  }
})

t.test(
  'read.jsonl and read.conversations, which read no tables, name no ending that they do not read',
  async t => {
    const folder = t.testdir({})
    const look = (path: string) => jsonl.inspect?.({ path, epochs: 1, limit: 0, shuffle: false }, {} as never)
    const list = await said(async path => look(path), join(folder, 'a.jsonl'), JSON.stringify(rows, null, 2))
    t.match(list, { code: 'other-form', text: /one JSON list/, remedy: /^write each/ })
    const table = await said(async path => look(path), join(folder, 'b.jsonl'), csv)
    t.match(table, { code: 'other-form', remedy: /read it by read\.csv/ })
    for (const [name, content] of [
      ['c.jsonl', gzipSync(lines)],
      ['d.jsonl', 'PAR1\x15\x04'],
    ] as const)
      t.match(await said(async path => look(path), join(folder, name), content), { code: 'other-form' }, name)
    const folderOfRows = join(folder, 'e.jsonl')
    mkdirSync(folderOfRows)
    await t.rejects(async () => look(folderOfRows), {
      code: 'no-file',
      message: /a folder/,
    })
    const talk = (path: string) =>
      conversations.inspect?.(
        { path, root: '', epochs: 1, limit: 0, repeatUntil: 0, shuffle: false },
        {} as never,
      )
    t.match(await said(async path => talk(path), join(folder, 'f.jsonl'), csv), { code: 'other-form' })
  },
)
