import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseConversations } from '../../../operators/read/conversations.ts'
import { linesOf } from '../../../operators/read/lines.ts'
import { readText } from '../../../operators/read/rows.ts'
import { readTable } from '../../../operators/read/table.ts'

/** The bytes of a text in each encoding that a byte-order mark tells. */
const encodings: Readonly<Record<string, (text: string) => Buffer>> = {
  'UTF-8': text => Buffer.from(`\ufeff${text}`),
  'UTF-16LE': text => Buffer.from(`\ufeff${text}`, 'utf16le'),
  'UTF-16BE': text => Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
}

/** A text in each form, and what its reader makes of it. */
const forms: Readonly<Record<string, { text: string; read(path: string): Promise<unknown>; rows: unknown }>> =
  {
    'lines.jsonl': {
      text: '{"q":"日本"}\r\n\r\n{"q":"b"}\r\n',
      read: async path => {
        const lines: unknown[] = []
        for await (const { text, number } of linesOf(path)) lines.push([number, JSON.parse(text)])
        return lines
      },
      rows: [
        [1, { q: '日本' }],
        [3, { q: 'b' }],
      ],
    },
    'rows.jsonl': { text: '{"q":"日本"}\n{"q":"b"}\n', read: rowsOf, rows: [{ q: '日本' }, { q: 'b' }] },
    'rows.json': { text: '[{"q":"日本"}]', read: rowsOf, rows: [{ q: '日本' }] },
    'rows.csv': { text: 'q,r\r\n日本,b\r\n', read: rowsOf, rows: [{ q: '日本', r: 'b' }] },
    'rows.tsv': { text: 'q\tr\n日本\tb\n', read: rowsOf, rows: [{ q: '日本', r: 'b' }] },
    'thoughts.json': { text: `[${conversation('日本')}]`, read: saidIn, rows: ['日本'] },
    'thoughts.jsonl': { text: `${conversation('日本')}\n`, read: saidIn, rows: ['日本'] },
  }

async function rowsOf(path: string): Promise<unknown> {
  return (await readTable(path)).map(({ row }) => row)
}

function conversation(value: string): string {
  return JSON.stringify({
    video: 'a.mp4',
    conversations: [
      { from: 'human', value: 'Which?' },
      { from: 'gpt', value },
    ],
  })
}

async function saidIn(path: string): Promise<unknown> {
  const samples = parseConversations(path, await readText(path), '')
  return samples.map(({ value }) => value.conversations?.at(-1)?.value)
}

for (const [name, { text, read, rows }] of Object.entries(forms))
  for (const [encoding, encode] of Object.entries(encodings))
    t.test(`${name} in ${encoding} with a byte-order mark is read`, async t => {
      const path = join(t.testdir({}), name)
      writeFileSync(path, encode(text))
      t.same(await read(path), rows)
    })

t.test('lines of UTF-16 without a mark are refused with the command that converts them', async t => {
  const path = join(t.testdir({}), 'lines.jsonl')
  writeFileSync(path, Buffer.from('{"question":"b"}\n', 'utf16le'))
  await t.rejects(linesOf(path).next(), { code: 'other-form', message: /UTF-16LE without a mark/ })
})
