import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseExactJson } from '../../../operators/read/exact-json.ts'
import { linesOf } from '../../../operators/read/lines.ts'
import { parseQuestions } from '../../../operators/read/questions.ts'
import { readText } from '../../../operators/read/rows.ts'

const question = { problem: 'Où?', video_filename: './a.mp4' }

t.test('integers that a number cannot hold stay as they are written, digit for digit', async t => {
  const exact = (text: string) => JSON.stringify(parseExactJson(text))
  t.equal(exact('{"id": 98765432109876543210, "n": 12}'), '{"id":"98765432109876543210","n":12}')
  t.equal(exact('[-9007199254740993, 9007199254740991]'), '["-9007199254740993",9007199254740991]')
  t.equal(
    exact('["98765432109876543210", true, 2500000000000000000000e-1, 2.5]'),
    '["98765432109876543210",true,250000000000000000000,2.5]',
  )
  t.equal(exact('{"\\"98765432109876543210": null}'), '{"\\"98765432109876543210":null}')
  t.throws(() => parseExactJson('{98765432109876543210}'), SyntaxError)
})

t.test('a byte-order mark is skipped, and text that is not UTF-8 is named with file and line', async t => {
  const path = join(t.testdir(), 'q.jsonl')
  writeFileSync(path, `\ufeff${JSON.stringify(question)}\r\n`)
  t.match(parseQuestions(path, await readText(path), '/root'), [{ key: '1', value: { question: 'Où?' } }])
  const lines = []
  for await (const { text, number } of linesOf(path)) lines.push([number, JSON.parse(text)])
  t.strictSame(lines, [[1, question]])

  writeFileSync(path, Buffer.concat([Buffer.from('{}\n\n'), Buffer.from([0x22, 0xe9, 0x22, 0x0a])]))
  const refusal = {
    code: 'not-utf8',
    message: `${path}:3: text must be UTF-8; convert the file with iconv -f ENCODING -t UTF-8`,
  }
  await t.rejects(readText(path), refusal)
  const drain = async () => {
    for await (const line of linesOf(path)) t.equal(line.number, 1)
  }
  await t.rejects(drain(), refusal)
  await t.rejects(readText(join(path, 'none')), { code: 'no-file' })
})

t.test('a line may be longer than the piece of the file that is read at once', async t => {
  const path = join(t.testdir(), 'long.jsonl')
  const long = JSON.stringify('é'.repeat(200_000))
  writeFileSync(path, `${long}\n1`)
  const lines = []
  for await (const { text } of linesOf(path)) lines.push(text)
  t.ok(lines.length === 2 && lines[0] === long && lines[1] === '1')
})
