import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openTokenizer } from '../../../../operators/model/checkpoint/tokenizer.ts'
import { fixture } from '../../../fixtures.ts'
import { temporaryFolder } from './tiny-checkpoint.ts'

const tokenizer = await openTokenizer(fixture('prompts'))

interface Case {
  text: string
  ids: number[]
  decoded: string
}
// The cast states the layout of a file of ours, made with the tokenizers library of Python.
const cases = JSON.parse(await readFile(fixture('tokenizer/cases.json'), 'utf8')) as {
  encode: Case[]
  decode: Omit<Case, 'text'>[]
}

t.test('unusual texts get the ids and come back as with the library in Python', async t => {
  for (const { text, ids, decoded } of cases.encode) {
    t.strictSame(tokenizer.encode(text), ids, JSON.stringify(text).replaceAll(/[\u2028\u2029\x85]/g, '?'))
    t.equal(tokenizer.decode(ids), decoded)
  }
})

t.test(
  'any ids decode as with the library in Python: bad UTF-8, special tokens, ids past the vocabulary',
  async t => {
    for (const { ids, decoded } of cases.decode) t.equal(tokenizer.decode(ids), decoded, ids.join())
  },
)

t.test('special tokens are found by text, encoded as one id and left out of decoded text', async t => {
  t.equal(tokenizer.idOf('<|endoftext|>'), 397)
  t.equal(tokenizer.eosId, 397)
  t.equal(tokenizer.idOf('<|nothing|>'), undefined)
  t.strictSame(tokenizer.encode('<|endoftext|>'), [397])
  t.equal(tokenizer.decode([397, ...tokenizer.encode('a'), 398, 397]), 'a')
})

t.test('nothing encodes to nothing, and back', async t => {
  t.strictSame(tokenizer.encode(''), [])
  t.equal(tokenizer.decode([]), '')
  t.equal(tokenizer.decode([397, 447]), '')
})

t.test('composed and decomposed letters are the same text', async t => {
  t.strictSame(tokenizer.encode('e\u0301'), tokenizer.encode('é'))
})

t.test("the slow tokenizer's vocab.json and merges.txt give the same ids", async t => {
  const folder = await temporaryFolder(t)
  const { model } = JSON.parse(await readFile(fixture('prompts/tokenizer.json'), 'utf8'))
  const merges = model.merges.map((merge: string | string[]) =>
    typeof merge === 'string' ? merge : merge.join(' '),
  )
  await writeFile(join(folder, 'vocab.json'), JSON.stringify(model.vocab))
  await writeFile(join(folder, 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`)
  await copyFile(fixture('prompts/tokenizer_config.json'), join(folder, 'tokenizer_config.json'))
  const slow = await openTokenizer(folder)
  for (const { text, ids } of cases.encode) t.strictSame(slow.encode(text), ids)
  t.equal(slow.eosId, 397)
})
