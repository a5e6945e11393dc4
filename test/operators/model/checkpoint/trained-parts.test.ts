import { readFile } from 'node:fs/promises'
import t from 'tap'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import { isTrainedBy } from '../../../../operators/model/checkpoint/load-model.ts'
import { expectedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import { fixture } from '../../../fixtures.ts'

t.test(
  'a tower that is trained in part trains its later blocks, and nothing before or after them',
  async t => {
    for (const [family, afterBlocks] of [
      ['smolvlm', ['vision_tower._vision_tower.vision_model.post_layernorm.weight']],
      ['internvl', []],
      ['qwen25vl', []],
      ['qwen3vl', []],
    ] as const) {
      const json = JSON.parse(await readFile(fixture(`families/${family}/config.json`), 'utf8'))
      const config = parseModelConfig('c', json, { eosId: 399, idOf: () => undefined })
      const names = [...expectedTensors(config).keys()]
      const trained = names.filter(isTrainedBy(['vision from 1']))
      const blocks = config.vision.network.blocks
      const blocksOf = (list: readonly string[]) =>
        new Set(list.map(name => /^vision_tower\..*layers\.(\d+)\./.exec(name)?.[1]))
      t.same(
        [...blocksOf(trained)],
        Array.from({ length: blocks - 1 }, (_, i) => String(i + 1)),
        family,
      )
      const inBlocks = names.filter(name => /^vision_tower\..*layers\.[1-9]/.test(name))
      t.same(trained, inBlocks, `${family}: all weights of these blocks`)
      for (const name of afterBlocks) t.ok(names.includes(name) && !trained.includes(name), name)
    }
  },
)
