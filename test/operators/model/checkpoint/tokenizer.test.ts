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

t.test('what changes ids in transformers and is not done here is refused', async t => {
  const folder = await temporaryFolder(t)
  const definition = JSON.parse(await readFile(fixture('prompts/tokenizer.json'), 'utf8'))
  const config = JSON.parse(await readFile(fixture('prompts/tokenizer_config.json'), 'utf8'))
  const open = async (changes: object, settings = {}) => {
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify({ ...definition, ...changes }))
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ ...config, ...settings }))
    return openTokenizer(folder)
  }
  const start = { SpecialToken: { id: '<|im_start|>', type_id: 0 } }
  const template = {
    type: 'TemplateProcessing',
    single: [start, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
  }
  const message = /post_processor adds <\|im_start\|> to every text; only tokenizers that add nothing/
  await t.rejects(open({ post_processor: template }), { message })
  const several = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] }
  await t.rejects(open({ post_processor: several }), { message })
  await t.rejects(
    open({ post_processor: { type: 'BertProcessing', sep: ['x', 1], cls: ['<|im_start|>', 2] } }),
    {
      message,
    },
  )
  await t.resolves(open({ post_processor: { ...template, single: [{ Sequence: { id: 'A', type_id: 0 } }] } }))
  await t.rejects(open({}, { add_prefix_space: true }), {
    message: /pre_tokenizer must have add_prefix_space as tokenizer_config.json has it: true/,
  })
  const spaced = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }
  await t.resolves(open({ pre_tokenizer: spaced }, { add_prefix_space: true }))
})
