import t from 'tap'
import { layerScale } from '../../../../kernels/layers/layer-scale.ts'
import { linear } from '../../../../kernels/layers/linear.ts'
import { parameter } from '../../../../kernels/networks/parameters.ts'
import { connectors, languages, towers } from '../../../../operators/model/parts/index.ts'
import type { TowerKind } from '../../../../operators/model/parts/part.ts'
import { siglip } from '../../../../operators/model/parts/siglip.ts'
import { partFaultsOf } from '../../../../operators/model/parts/testing.ts'

t.setTimeout(300_000)

const internVit = {
  vision_feature_layer: -1,
  vision_config: { hidden_act: 'gelu', attention_bias: true },
}

t.test('the parts of flow keep the contract', async t => {
  const before = [towers, connectors, languages].map(table => [...table.keys()])
  for (const [name, kind] of towers) {
    const config = name === 'internvit' ? internVit : {}
    t.same(await partFaultsOf({ towers: { [name]: kind } }, { config }), [], name)
  }
  for (const [name, kind] of connectors)
    t.same(
      await partFaultsOf(
        { connectors: { [name]: kind } },
        { config: { scale_factor: 2, vision_feature_select_strategy: 'cls_patch', downsample_ratio: 0.5 } },
      ),
      [],
      name,
    )
  for (const [name, kind] of languages) t.same(await partFaultsOf({ languages: { [name]: kind } }), [], name)
  t.same(
    [towers, connectors, languages].map(table => [...table.keys()]),
    before,
    'the tables are as before',
  )
})

type Made = ReturnType<TowerKind['parse']>

/** SigLIP with something changed. */
const changed = (change: (part: Made) => Partial<Made>): TowerKind => ({
  summary: 'SigLIP, but wrong.',
  parse: (fields, use) => {
    const part = siglip(fields, use)
    return { ...part, ...change(part) }
  },
})

const scale = 'vision_tower._vision_tower.vision_model.feature_scale'
const scaled = (name: string, record: (part: Made) => Made['network']['record']) =>
  changed(part => ({
    tensors: new Map([...part.tensors, [name, [part.network.hidden]]]),
    stored: new Map([...part.stored, [name, [part.network.hidden]]]),
    network: { ...part.network, record: record(part) },
  }))

const faulty: [string, TowerKind, RegExp][] = [
  [
    'a configuration that it does not read',
    {
      summary: '',
      parse: (fields, use) => {
        fields.problem('hidden_size', 'must be odd')
        return siglip(fields, use)
      },
    },
    /^t: must read its configuration: config.json: vision_config.hidden_size: must be odd/,
  ],
  [
    'a name of another part',
    scaled('scale', part => part.network.record),
    /^t: tensor scale must begin with vision_tower\./,
  ],
  [
    'a tensor that files do not hold',
    changed(part => ({ tensors: new Map([...part.tensors, [scale, [3]]]) })),
    /^t: "stored" must hold vision_tower\..*feature_scale \(3\), found \(\)/,
  ],
  [
    'a stored tensor that is neither computed with nor unused',
    changed(part => ({ stored: new Map([...part.stored, [scale, [3]]]) })),
    /^t: isUnused must be true of .*feature_scale/,
  ],
  [
    'a tensor that is called unused',
    changed(() => ({ isUnused: () => true })),
    /^t: isUnused must be false of/,
  ],
  [
    'an output of another shape',
    changed(({ network }) => ({
      network: {
        ...network,
        record: (pass, weights, pixels) =>
          pass.output('half', [3, 4], [network.record(pass, weights, pixels)]),
      },
    })),
    /^t: its passes must be recorded in float32: a vision tower must give a tensor of shape \(32, 32\), gave \(3, 4\)/,
  ],
  [
    'a weight that is not in its tensors',
    changed(({ network }) => ({
      network: {
        ...network,
        record: (pass, weights, pixels) =>
          linear(pass, network.record(pass, weights, pixels), parameter(weights, scale)),
      },
    })),
    /^t: its passes must be recorded in float32: no parameter vision_tower.*feature_scale/,
  ],
  [
    'too few bytes of scores',
    changed(({ network }) => ({ network: { ...network, scoreBytes: 4 } })),
    /^t: scoreBytes must be the bytes of the attention scores of a frame, 2048, found 4/,
  ],
  [
    'numbers that are not in the name of kept features',
    changed(({ network }) => ({
      network: {
        ...network,
        record: (pass, weights, pixels) => {
          pass.recording.input('secret', [1], () => Uint32Array.of(1))
          return network.record(pass, weights, pixels)
        },
      },
    })),
    /^t: a tower must not record "secret" by recording\.input/,
  ],
  [
    'another recording each time',
    changed(({ network }) => {
      let count = 0
      return {
        network: {
          ...network,
          record: (pass, weights, pixels) => {
            pass.recording.constant('time', [1], Float32Array.of(count++))
            return network.record(pass, weights, pixels)
          },
        },
      }
    }),
    /^t: must record the same each time/,
  ],
  [
    'a weight that no kernel reads',
    scaled(scale, part => part.network.record),
    /^t: the gradient of .*feature_scale must not be 0/,
  ],
  [
    'a gradient that is half of the right one',
    scaled(scale, part => (pass, weights, pixels) => {
      const x = part.network.record(pass, weights, pixels)
      const weight = parameter(weights, scale)
      // the second scaling has no gradient, though the features depend on it
      const { gradient: _, ...frozen } = weight
      return layerScale(pass, layerScale(pass, x, weight), frozen)
    }),
    /^t: the gradient of .*feature_scale must be .* along a direction, as by finite differences, found/,
  ],
]

for (const [what, kind, message] of faulty)
  t.test(`found: ${what}`, async t => {
    const faults = await partFaultsOf({ towers: { t: kind } })
    t.match(faults[0], message)
  })
