import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import { openTokenizer } from '../../../../operators/model/checkpoint/tokenizer.ts'
import { problemsOf, tinyConfig, tokens, writeTiny } from './tiny-checkpoint.ts'

const { text_config: text } = tinyConfig
const faultsOf = (textConfig: object, more: object = {}) => {
  try {
    parseModelConfig('c', { ...tinyConfig, ...more, text_config: { ...text, ...textConfig } }, tokens)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}

t.test('plain rotary positions are read in every spelling, scaled ones are refused in each', async t => {
  for (const plain of [
    { rope_scaling: { type: 'default' } },
    { rope_scaling: { rope_type: 'default' } },
    { rope_parameters: { rope_type: 'default', rope_theta: 5e5 } },
    { layer_types: ['full_attention'] },
    { rope_theta: 7e4, rope_scaling: { type: 'default', rope_theta: 7e4 } },
  ])
    t.equal(faultsOf(plain), '', JSON.stringify(plain))
  for (const scaled of [
    { rope_scaling: { type: 'linear', factor: 2 } },
    { rope_scaling: { rope_type: 'dynamic', factor: 2 } },
    { rope_scaling: 'yarn' },
    { rope_parameters: { type: 'llama3', rope_theta: 1e6 } },
    { rope_parameters: { rope_type: 'longrope' } },
    { rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.5 } },
    { rope_parameters: { sliding_attention: { rope_type: 'default' } } },
    { rope_scaling: { type: 'default', mrope_section: [1, 1, 1] } },
    { layer_types: ['sliding_attention'] },
    { rope_theta: 7e4, rope_scaling: { type: 'default', rope_theta: 1e6 } },
  ])
    t.match(faultsOf(scaled), /c: text_config\.(rope_|layer_types)/, JSON.stringify(scaled))
})

t.test('a size beyond any model is refused before anything is allocated', async t => {
  t.match(
    faultsOf({ num_hidden_layers: 1e9 }),
    'c: text_config.num_hidden_layers: must be an integer of at most 1000',
  )
  t.match(faultsOf({ vocab_size: 1e12 }), 'text_config.vocab_size: must be an integer of at most 16777216')
  t.match(
    faultsOf({}, { num_resampler_layers: 1e15 }),
    'num_resampler_layers: must be an integer of at most 1000',
  )
  t.match(faultsOf({}, { num_queries: 1e13 }), 'num_queries: must be an integer of at most')
  t.match(
    faultsOf({}, { vision_config: { ...tinyConfig.vision_config, image_size: 1e7 } }),
    'image_size: must be',
  )
})

t.test('every end token of generation_config.json ends an answer, after that of config.json', async t => {
  const folder = await writeTiny(t)
  const stored = async (value: unknown) => {
    await writeFile(
      join(folder, 'generation_config.json'),
      `\ufeff${JSON.stringify({ eos_token_id: value })}`,
    )
    return (await openCheckpoint(folder)).config.eosIds
  }
  t.strictSame(await stored([12, 397, 13]), [397, 12, 13])
  t.strictSame(await stored(7), [397, 7])
  t.strictSame(await stored(null), [397])
  t.match(await problemsOf(stored([401]), folder), [
    { message: /eos_token_id: must be ids below 401, got \[397,401\]/ },
  ])
})

t.test('a token of the tokenizer outside the embedding is refused at load', async t => {
  const folder = await writeTiny(t)
  const path = join(folder, 'tokenizer.json')
  const definition = JSON.parse(await readFile(path, 'utf8'))
  const write = (id: unknown) => {
    const added = [{ ...definition.added_tokens[0], content: '<far>', id }]
    return writeFile(
      path,
      JSON.stringify({ ...definition, added_tokens: [...definition.added_tokens, ...added] }),
    )
  }
  await write(401)
  t.match(await problemsOf(openCheckpoint(folder), folder), [
    {
      message:
        'config.json: text_config.vocab_size: must be more than every id of the tokenizer, but "<far>" has 401; got 401',
    },
  ])
  await write(-1)
  t.match(await problemsOf(openCheckpoint(folder), folder), [
    { message: /tokenizer\.json: .*"<far>" must have a whole number as its id, got -1/ },
  ])
})

t.test('a tokenizer whose pattern tries too many ways is an error', async t => {
  const folder = await writeTiny(t)
  const path = join(folder, 'tokenizer.json')
  const definition = JSON.parse(await readFile(path, 'utf8'))
  const pattern = { Regex: '(a+)+b' }
  const splitter = { type: 'Split', pattern, behavior: 'Isolated', invert: false }
  await writeFile(path, JSON.stringify({ ...definition, pre_tokenizer: splitter }))
  const tokenizer = await openTokenizer(folder)
  t.throws(() => tokenizer.encode('a'.repeat(80)), /tokenizer: must encode a text within 10 s/)
})

t.test('an index may name a tensor that the model does not use and no shard holds', async t => {
  const folder = await writeTiny(t, { shard: () => 'part.safetensors' })
  const path = join(folder, 'model.safetensors.index.json')
  const index = JSON.parse(await readFile(path, 'utf8'))
  const name = (tensor: string) =>
    writeFile(path, JSON.stringify({ weight_map: { ...index.weight_map, [tensor]: 'part.safetensors' } }))
  await name('language_model.lm_head.weight')
  t.ok((await openCheckpoint(folder)).tensors.size > 0)
  await name('language_model.model.norm.bias')
  t.match(await problemsOf(openCheckpoint(folder), folder), [{ code: 'missing-tensor' }])
})
