// A slip of the pen in a graph's text is told where it is, alone, with what to do; where that is a change of characters, the
// change makes the text JSON.
import t from 'tap'
import { parseSource } from '../../../../engine/graph/file/graph-file.ts'

/** The text with the change that the finding asks for, if it asks for one of characters. */
function mended(text: string, at: number, remedy: string): string | undefined {
  const put = (removed: number, put: string) => text.slice(0, at) + put + text.slice(at + removed)
  const [, instead, found = ''] = /^write (\S) instead of (\S)$/.exec(remedy) ?? []
  if (instead !== undefined) return put(found.length, instead)
  if (/^remove this (comma|\}|\])$/.test(remedy)) return put(1, '')
  if (remedy === 'write a comma here') return put(0, ',')
  if (remedy === 'write a colon here') return put(0, ':')
  const [, word] = /^write (true|false|null|"\w+")$/.exec(remedy) ?? []
  return word === undefined ? undefined : put(/^\w+/.exec(text.slice(at))?.[0].length ?? 0, word)
}

const cases: readonly (readonly [string, string, number | undefined, RegExp])[] = [
  ['a comma at the end of an object', '{\n  "a": 1,\n}', 10, /^must not end an object/],
  ['a comma at the end of a list', '{"a": [1, 2,]}', 11, /^must not end a list/],
  ['two commas', '{"a": 1,, "b": 2}', 8, /^must be a value/],
  ['no comma', '{\n  "a": 1 // one\n  "b": 2\n}', 10, /^must be a comma/],
  ['no colon', '{"a" 1}', 5, /^must be a colon/],
  ['a constant of Python', '{"a": True}', 6, /found True$/],
  ['a key without quotes', '{a: 1}', 1, /found a$/],
  [
    'a list that is closed as an object',
    '{\n  "a": [1, 2},\n  "b": 3\n}',
    14,
    /^must be \]: it closes the \[ of line 2/,
  ],
  ['a bracket too many at the end', '{\n  "a": 1\n}}\n', 12, /nothing is open/],
]

for (const [name, text, offset, rule] of cases) {
  t.test(`${name}: told at its place alone, and its remedy mends it`, async t => {
    const { problems } = parseSource('g.json', text)
    t.equal(problems.length, 1)
    const [problem] = problems
    t.match(problem?.rule, rule)
    const lines = text.split('\n')
    const { line = 0, column = 0 } = problem?.place ?? {}
    const at = lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0) + column - 1
    t.equal(at, offset)
    const right = mended(text, at, problem?.remedy ?? '')
    t.not(right, undefined, problem?.remedy ?? 'no remedy')
    t.same(parseSource('g.json', right ?? '').problems, [])
  })
}

t.test('a bracket that is missing or too many many lines above is told there', async t => {
  const placeOf = (text: string) => {
    const { problems } = parseSource('g.json', text)
    return problems.map(({ place, rule }) => `${place?.line}:${place?.column} ${rule}`)
  }
  const unclosed = '{\n  "nodes": {\n    "a": {\n      "x": 1,\n    "b": {\n      "y": 2\n    }\n  }\n}\n'
  t.same(placeOf(unclosed), ['3:10 must be closed: no } belongs to this {'])
  const short = '{\n  "nodes": {\n    "a": { "x": { "y": 1 },\n    "b": { "y": 2 }\n  }\n}\n'
  t.same(placeOf(short), ['3:10 must be closed: no } belongs to this {'])
  const extra = '{\n  "nodes": {\n    "a": {\n      "x": 1\n    }}\n  },\n  "b": 3\n}\n'
  t.match(placeOf(extra), [/^6:3 must be indented as line 1, whose \{ it closes/])
  t.same(
    placeOf('{ "a": { "b": "}" }'),
    ['1:1 must be closed: no } belongs to this {'],
    'brackets in texts count not',
  )
})

t.test('what is not between brackets', async t => {
  const rulesOf = (text: string) => parseSource('g.json', text).problems.map(({ rule }) => rule)
  t.same(rulesOf(''), ['must hold one JSON object'])
  t.same(rulesOf('// nothing\n'), ['must hold one JSON object'])
  t.same(rulesOf('{}\n{}'), ['must end here: one JSON object a file'])
  t.same(rulesOf('{\n  "a: 1,\n  "b": 2\n}'), ['must end the string with a double quote on the same line'])
  t.same(rulesOf("{'a': 1}"), ['must be in double quotes'])
  t.same(rulesOf('{"a": "\\q"}'), ['must be one of the escapes that JSON has'])
})

t.test('a text that is not UTF-8 is told with its encoding and the command that converts it', async t => {
  const json = '{ "summary": "café" }'
  const le = Buffer.from(json, 'utf16le')
  const be = Buffer.from(le).swap16()
  const texts: readonly (readonly [Buffer, string, string, number])[] = [
    [Buffer.from([0xff, 0xfe, ...le]), 'UTF-16LE', 'UTF-16', 1],
    [Buffer.from([0xfe, 0xff, ...be]), 'UTF-16BE', 'UTF-16', 1],
    [le, 'UTF-16LE', 'UTF-16LE', 1],
    [be, 'UTF-16BE', 'UTF-16BE', 1],
    [Buffer.from(json, 'latin1'), 'bytes that are none, as of a text in Windows-1252', 'WINDOWS-1252', 18],
  ]
  for (const [bytes, found, from, column] of texts) {
    const { source, problems } = parseSource('g.json', bytes.toString('utf8'))
    t.equal(source, undefined)
    const remedy = `convert it: iconv -f ${from} -t UTF-8 FILE > NAME`
    const place = { file: 'g.json', line: 1, column }
    const path = ''
    t.same(problems, [{ code: 'syntax', place, path, rule: `must be UTF-8 text, found ${found}`, remedy }])
  }
  const [zero] = parseSource('g.json', '{ "summary": "a\0" }').problems
  t.match(zero, { rule: 'must be UTF-8 text, found a byte that is zero', place: { column: 16 } })
  t.same(parseSource('g.json', `\ufeff${json}`).problems, [], 'a mark of UTF-8 is no fault')
})
