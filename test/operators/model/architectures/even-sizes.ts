import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fixture } from '../../../fixtures.ts'

/** The families of models that have fixtures. */
export const families = ['smolvlm', 'internvl', 'qwen25vl', 'qwen3vl'] as const

const sizes = {
  hidden_size: 32,
  intermediate_size: 48,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
}

/** The `config.json` of a family's fixture, with extents that the blocks of matrix units divide. */
export async function evenConfig(family: (typeof families)[number]): Promise<Record<string, unknown>> {
  const json = JSON.parse(await readFile(join(fixture(`families/${family}`), 'config.json'), 'utf8'))
  Object.assign(json.text_config, sizes)
  const rope = json.text_config.rope_parameters
  if (rope.mrope_section) rope.mrope_section = [2, 3, 3]
  const { num_attention_heads: num_heads, ...tower } = sizes
  Object.assign(
    json.vision_config,
    tower,
    family.startsWith('qwen') ? { num_heads } : { num_attention_heads: 2 },
  )
  if (family.startsWith('qwen')) json.vision_config.out_hidden_size = 32
  return json
}
