import { operator, resource } from '../../../../engine/operator.ts'
import { testBed } from '../../support.ts'

const words = operator({
  summary: 'Says words.',
  config: {},
  inputs: {},
  outputs: { words: 'word' },
  run: () => ({}),
})
const opens = operator({
  summary: 'Opens a box.',
  config: { box: { type: 'string', resource: 'box', description: 'A box.' } },
  inputs: {},
  outputs: {},
  run: () => ({}),
})
const jar = resource({ summary: 'Is no box.', config: {}, kind: 'jar', open: async () => 0, close: () => {} })
const frames = (shape: readonly (number | string)[], dtype: 'f32' | 'f16' = 'f32') =>
  ({ kind: 'frames', dtype, shape }) as const
const film = operator({
  summary: 'Gives frames.',
  config: {
    count: { type: 'integer', minimum: 1, description: 'Frames of a clip.' },
    side: { type: 'integer', default: 0, description: 'Pixels of a side; 0 leaves it open.' },
    mode: { type: 'string', enum: ['all', 'some'], default: 'all', description: 'Which.' },
    most: { type: 'integer', default: 9, description: 'Most frames.', when: { mode: 'some' } },
  },
  inputs: {},
  outputs: { frames: frames(['F', 3, 'S', 'S']) },
  dims: ({ count, side }) => ({ F: count, S: side || undefined }),
  run: () => ({}),
})
const look = operator({
  summary: 'Looks at eight frames.',
  config: {},
  inputs: { frames: frames([8, 3, 'S', 'S']) },
  outputs: { features: { kind: 'features', dtype: 'f32', shape: [8, 'S'] } },
  run: () => ({}),
})
const pass = operator({
  summary: 'Passes on.',
  config: {},
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  run: () => ({}),
})
const half = operator({
  summary: 'Wants half precision and flat pictures.',
  config: {},
  inputs: { frames: frames(['F', 'X'], 'f16'), flat: { ...frames(['F', 'X']), optional: true } },
  outputs: {},
  run: () => ({}),
})
const both = operator({
  summary: 'Wants two lots of frames of the same size.',
  config: {},
  inputs: { one: frames(['F', 3, 'S', 'S']), other: frames(['F', 3, 'S', 'S']) },
  outputs: {},
  run: () => ({}),
})
const pile = operator({
  summary: 'Collects numbers.',
  config: { size: { type: 'integer', default: 2, description: 'How many.' } },
  inputs: { numbers: 'number' },
  outputs: { numbers: 'number' },
  collects: ({ size }) => size,
  run: () => ({}),
})
const parts = operator({
  summary: 'Makes several numbers of one.',
  config: {},
  inputs: { numbers: 'number' },
  outputs: { numbers: 'number' },
  drops: false,
  expands: true,
  run: () => ({}),
})
const sorted = operator({
  summary: 'Sorts numbers.',
  config: {},
  inputs: { numbers: 'number' },
  outputs: { numbers: 'number' },
  drops: false,
  waitsForEnd: true,
  run: () => ({}),
})
const gated = operator({
  summary: 'Has another input next to a feedback edge.',
  config: {},
  inputs: { numbers: 'number', back: 'number' },
  outputs: { numbers: 'number' },
  run: () => ({}),
})
const meet = operator({
  summary: 'Pairs numbers.',
  config: {},
  inputs: { left: 'any', right: 'any' },
  outputs: {},
  pairs: true,
  credits: () => 2,
  run: () => ({}),
})
/** What the graphs below may name. */
export const { registry } = testBed({
  operators: { words, opens, film, look, pass, half, both, pile, parts, sorted, gated, meet },
  resources: { jar },
})
