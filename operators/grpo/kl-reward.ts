import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { groupPort } from '../ports.ts'
import { withCombined, withNamed } from '../reward/with-reward.ts'
import { klFields, tokenKl } from './kl.ts'
import { prepareFields } from './prepare.ts'
import { logProbsOf } from './train.ts'

const { klClamp, klExponentClamp, klEstimator } = klFields

/**
 * The divergence in the reward instead of in the loss, whose `beta` is then 0 (reference/grpo 2.9). It stands before
 * `grpo.advantage`, and is taken from the policy as it is when the group comes by.
 */
export default operator({
  summary:
    'Takes the KL divergence from a reference, summed over the tokens of a completion, off its reward.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The policy.' },
    reference: { type: 'string', resource: 'model', description: 'The model that it is measured from.' },
    weight: {
      type: 'number',
      minimum: 0,
      default: 0.05,
      description: 'Times the divergence is what is taken off.',
    },
    temperature: prepareFields.temperature,
    klEstimator: { ...klEstimator, default: 'k1' },
    klClamp: { ...klClamp, default: 0 },
    klExponentClamp,
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, { model, reference: other, weight, temperature, ...estimate }, context) => ({
    groups: groups.pipe(
      context.each(async (group: Group) => {
        const { prompt, completions } = group
        const part = {
          sequence: {
            ids: prompt.ids,
            features: prompt.features,
            completions: completions.map(({ ids }) => ids),
          },
        }
        const policy = await logProbsOf(context.resource<LoadedModel>(model), part, temperature)
        const reference = await logProbsOf(context.resource<LoadedModel>(other), part, temperature)
        const sums = policy.map((row, i) =>
          row.reduce((sum, logProb, t) => {
            const kl = tokenKl(logProb - reference[i][t], { ...estimate, beta: weight, klTimesRatio: false })
            return sum + kl.value
          }, 0),
        )
        return withCombined(withNamed(group, 'kl', sums), ({ reward }, i) =>
          reward === undefined ? undefined : reward - weight * sums[i],
        )
      }),
    ),
  }),
})
