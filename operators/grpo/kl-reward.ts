import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Group } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { seenOf } from '../model/moment-seconds.ts'
import { scoreMemory } from '../model/sizes.ts'
import { groupPort } from '../ports.ts'
import { withCombined, withNamed } from '../reward/with-reward.ts'
import { klFields, tokenKl } from './kl.ts'
import { logProbRows, prepareFields } from './prepare.ts'

const { klClamp, klExponentClamp, klEstimator } = klFields

/**
 * The divergence as part of the reward instead of the loss, whose `beta` is then 0, as in RLHF (Ouyang et al. 2022,
 * arXiv:2203.02155). Goes before `grpo.advantage`; uses the policy's weights at the time the group arrives.
 */
export default operator({
  summary:
    'Subtracts the KL divergence from a reference model, summed over the tokens of a completion, from its reward.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The policy.' },
    reference: {
      type: 'string',
      resource: 'model',
      description: 'The model that the divergence is measured from.',
    },
    weight: {
      type: 'number',
      minimum: 0,
      default: 0.05,
      description: 'Factor of the divergence.',
    },
    temperature: prepareFields.temperature,
    klEstimator: { ...klEstimator, default: 'k1' },
    klClamp: { ...klClamp, default: 0 },
    klExponentClamp,
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: () => ({ adds: ['kl'] }),
  drops: false,
  memory({ model, reference }, { outline, dims }) {
    const about = { frames: dims.F, count: dims.G, length: dims.T }
    return [
      ...scoreMemory(outline(model), about, 'policy'),
      ...scoreMemory(outline(reference), about, 'reference'),
    ]
  },
  run: ({ groups }, { model, reference: other, weight, temperature, ...estimate }, context) => ({
    groups: groups.pipe(
      context.each(async (group: Group) => {
        const { prompt, completions } = group
        const share = {
          sequence: { ...(await seenOf(prompt)), completions: completions.map(({ ids }) => ids) },
        }
        const policy = await logProbRows(context.resource<LoadedModel>(model), share, temperature)
        const reference = await logProbRows(context.resource<LoadedModel>(other), share, temperature)
        const sums = policy.map((row, i) =>
          row.reduce((sum, logProb, t) => {
            const difference = logProb - at(at(reference, i), t)
            return sum + tokenKl(difference, { ...estimate, beta: weight, klTimesRatio: false }).value
          }, 0),
        )
        return withCombined(withNamed(group, 'kl', sums), ({ reward }, i) =>
          reward === undefined ? undefined : reward - weight * at(sums, i),
        )
      }),
    ),
  }),
})
