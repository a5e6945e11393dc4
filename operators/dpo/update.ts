import { groupLoss } from '../grpo/group-loss.ts'
import { updateMetricNames } from '../grpo/update-groups.ts'
import { dpoLoss } from './loss.ts'

const update = groupLoss(
  'Updates the policy with the gradient of the DPO loss of pairs, and records metrics.',
  dpoLoss,
  {
    reference: {
      type: 'string',
      resource: 'model',
      description: 'The frozen model that the policy starts from.',
    },
    beta: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 0.1,
      description: 'How strongly the policy is held to the reference; less lets it go farther.',
    },
    labelSmoothing: {
      type: 'number',
      minimum: 0,
      maximum: 0.5,
      default: 0,
      description: 'Assumed share of pairs that are the wrong way round (conservative DPO).',
    },
  },
)

export default {
  ...update,
  metrics: (_config: unknown, rewards: readonly string[]) => [
    ...updateMetricNames(rewards),
    ...['dpo/chosen', 'dpo/rejected', 'dpo/margin', 'dpo/accuracy'],
  ],
}
