import { operator } from '../../engine/operator.ts'
import { groupPort } from '../ports.ts'
import { GroupError } from './group-error.ts'
import { lossFields } from './loss.ts'
import { referenceFields } from './moving-reference.ts'
import {
  groupLearner,
  groupTeam,
  groupUpdates,
  inspectGroupCount,
  updateFields,
  updateGroups,
  updateMemory,
  updateMetricNames,
} from './update-groups.ts'

export default operator({
  summary: 'Updates the policy with the gradient of the GRPO loss of groups, and records metrics.',
  config: {
    ...updateFields,
    reference: {
      ...updateFields.reference,
      idle: { beta: 0 },
      description:
        'The frozen model that the KL divergence is measured from; required unless beta is 0, and then not opened.',
    },
    ...lossFields,
    ...referenceFields,
  },
  inputs: { groups: groupPort },
  outputs: { version: { kind: 'version', inPlace: true } },
  drops: true,
  effects: true,
  credits: ({ groupsPerUpdate }) => groupsPerUpdate,
  collects: ({ groupsPerUpdate }) => groupsPerUpdate,
  memory: updateMemory,
  makes: groupUpdates,
  inspectCount: inspectGroupCount,
  metrics: (_config, rewards) => updateMetricNames(rewards),
  team: { ...groupTeam, work: (config, context) => groupLearner(config, context).learn },
  async inspect({ beta, reference }) {
    if (beta === 0 || reference !== '') return []
    const rule = `must name the reference model: beta is ${beta}`
    const remedy = 'name a resource of kind "model", e.g. a base-model, or --set beta=0'
    return [{ field: 'reference', rule, lines: [], code: 'missing-reference', remedy }]
  },
  run: ({ groups }, config, context) => {
    if (config.beta > 0 && config.reference === '')
      throw new GroupError(
        'missing-reference',
        `beta ${config.beta} needs a reference model, but reference is empty; name a model or --set beta=0`,
      )
    return updateGroups(groups, config, context)
  },
})
