import { nearestHint } from '../../engine/graph/did-you-mean.ts'
import { operator } from '../../engine/operator.ts'
import { GroupError } from '../grpo/group-error.ts'
import type { Group, Prompt } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { groupPort, promptPort } from '../ports.ts'
import { fieldsBefore } from '../read/fields-before.ts'
import { combined } from '../reward/reward-marks.ts'

const remedy = 'name fields that the rows have, or rename those in the data'

/** For data that others wrote, e.g. pairs of preferred and rejected answers. Their reward is their place, the first the best. */
export default operator({
  summary:
    'Makes a group of texts that the rows of the data hold, in place of completions that a model writes.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model whose tokenizer reads the texts.' },
    fields: {
      type: 'array',
      items: { type: 'string' },
      minItems: 1,
      default: ['chosen', 'rejected'],
      description: 'Fields of the row, the best text first: the last has reward 0, the one before it 1, …',
    },
  },
  inputs: { prompts: promptPort },
  outputs: { groups: { ...groupPort, holds: 'prompts' } },
  dims: ({ fields }) => ({ G: fields.length }),
  drops: false,
  marks: () => ({ adds: [combined], anew: true }),
  async inspect({ fields }, { parts = [], name = '', isBrief }) {
    const known = isBrief ? undefined : await fieldsBefore(parts, name)
    const lines = fields.flatMap(field => {
      if (!known || known.has(field)) return []
      const hint = nearestHint(field, known)
      return [`no row has the field "${field}"${hint && ` (${hint})`}`]
    })
    if (lines.length === 0) return []
    return [{ field: 'fields', rule: 'must be fields of the rows', lines, code: 'unknown-field', remedy }]
  },
  run: ({ prompts }, { model: name, fields }, context) => ({
    groups: prompts.pipe(
      context.each((prompt: Prompt, { key }): Group => {
        const { tokenizer, config, version } = context.resource<LoadedModel>(name)
        const completions = fields.map((field, i) => {
          const text = prompt.sample.fields[field]
          if (typeof text !== 'string' || text === '')
            throw new GroupError(
              'missing-text',
              `sample ${key}: its field "${field}" must be a text, found ${JSON.stringify(text) ?? 'nothing'}`,
            )
          const ids = [...tokenizer.encode(text), ...config.eosIds.slice(0, 1)]
          return { ids, text, finished: true, reward: fields.length - 1 - i }
        })
        return { prompt, completions, policyVersion: version, generateSeconds: 0 }
      }),
    ),
  }),
})
