import { apiVersion } from '../operator.ts'
import { packageName } from '../shared/package-name.ts'
import { fitting, type Language } from './new-types.ts'

/** `flow new loss`: a loss of one's own as a plugin, its test, and a graph that trains with it. */
export function lossFiles(name: string, file: string, { ending, typed }: Language): Record<string, string> {
  const graph = {
    extends: 'flow:grpo.json',
    summary: `GRPO's graph with the loss ${name}.`,
    plugins: [`./${file}${ending}`],
    nodes: { update: { operator: name, config: { beta: null, scale: 1 } } },
  }
  const head = fitting(
    'export function loss(',
    [
      `{ policy, advantages, mask }${typed(': OwnLossRows')}`,
      `{ scale }${typed(': { scale: number }')}`,
      `{ tokens }${typed(': { tokens: number }')}`,
    ],
    `)${typed(': OwnLoss')}`,
  )
  return {
    [`${file}${ending}`]: `import { groupLoss${typed(', type OwnLoss, type OwnLossRows')} } from '${packageName}'

/** The version of flow's operator contract that this was written for. */
export const api = ${apiVersion}

/** REINFORCE: minus the mean over tokens of advantage · log-probability, times a scale. */
${head} {
  let loss = 0
  const dLogProbs = policy.map((row, i) =>
    row.map((logProb, t) => {
      const slope = (-scale * mask[i][t] * advantages[i]) / tokens
      loss += slope * logProb
      return slope
    }),
  )
  return { loss, dLogProbs, metrics: { 'my/loss': loss } }
}

export const operators = {
  '${name}': groupLoss('Updates the policy with the gradient of REINFORCE.', loss, {
    scale: { type: 'number', default: 1, description: 'Factor of the loss.' },
  }),
}
`,
    [`${file}.json`]: `${JSON.stringify(graph, null, 2)}\n`,
    [`${file}.test${ending}`]: `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lossFaultsOf } from '${packageName}/testing'
import { loss } from './${file}${ending}'

test('the loss of two tokens, worked out by hand', () => {
  const rows = { policy: [[-0.5, -1.5]], old: null, reference: null, entropies: null, advantages: [2], mask: [[1, 1]] }
  assert.equal(loss(rows, { scale: 1 }, { tokens: 2 }).loss, 2)
})

test('its derivative agrees with finite differences', () => {
  assert.deepEqual(lossFaultsOf(loss, { scale: 3 }), [])
})
`,
  }
}
