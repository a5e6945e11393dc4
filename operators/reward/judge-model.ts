import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { generate, type PromptRequest } from '../../kernels/networks/generation/batch-writer.ts'
import type { Group } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { seenOf } from '../model/moment-seconds.ts'
import { answerMemory } from '../model/sizes.ts'
import { groupPort } from '../ports.ts'
import { answerBetweenTags } from '../text/answer-tags.ts'
import { promptOf, wordingFields } from '../text/prompt.ts'
import { firstOf, strip } from '../text/python.ts'
import { templateField, templateFor } from '../text/template.ts'
import { askField, filled, firstNumber } from './judge-number.ts'
import { weightField } from './reward.ts'
import { RewardError } from './reward-error.ts'
import { weighted } from './reward-marks.ts'
import { withWeighted } from './with-reward.ts'

/**
 * The judge sees the features that the prompt has, so its vision tower must be the policy's, as all models of the family
 * have the same frozen one. It answers with the most likely tokens. What it says is in `judge.jsonl`.
 */
export default operator({
  summary: 'Lets a model judge the completions of each group: a named reward, added to the combined one.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The judge.' },
    name: { type: 'string', default: 'judge', description: 'Name of the reward.' },
    weight: weightField,
    verdict: {
      type: 'string',
      enum: ['agreement', 'number'],
      default: 'number',
      description:
        "agreement: the judge answers the question itself, once a group; a completion with the judge's answer earns 1, another 0. number: the judge is asked `ask` about each completion, and its first number is the reward.",
    },
    ask: { ...askField, when: { verdict: 'number' } },
    maxNewTokens: { type: 'integer', minimum: 1, default: 64, description: "Tokens of the judge's answer." },
    template: templateField,
    ...wordingFields,
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: ({ name, weight }) => weighted(name, weight),
  drops: false,
  memory({ model, verdict, maxNewTokens: length }, { outline, dims }) {
    const questions = verdict === 'agreement' ? 1 : dims.G
    return answerMemory(outline(model), { questions, frames: dims.F, length }, greedy, 0)
  },
  run: ({ groups }, config, context) => {
    const { model: name, verdict, maxNewTokens, template, ...wording } = config
    const judge = async (group: Group, { key }: { key: string }) => {
      const { prompt, completions } = group
      const model = context.resource<LoadedModel>(name)
      checkFeatures(group, model, `sample ${key}: judge ${name}`)
      const questions =
        verdict === 'agreement'
          ? [prompt.sample.question]
          : completions.map(completion => filled(config.ask, group, completion))
      const seen = await seenOf(prompt)
      const asked = questions.map((question): PromptRequest => {
        const { ids } = promptOf(model.tokenizer, templateFor(model, template), question, wording)
        return { ...seen, ids, seeds: [0] }
      })
      const { eosIds: endIds } = model.config
      const written = await generate(model, asked, greedy, { maxNewTokens, endIds, signal: context.signal })
      const said = written.map(([ids = []]) => strip(model.tokenizer.decode(ids)))
      const rewards = completions.map(({ text }, i) =>
        verdict === 'agreement' ? agreement(text, at(said, 0)) : firstNumber(at(said, i)),
      )
      for (const [i, reward] of rewards.entries())
        context.record('judge', { key, index: i, said: said[verdict === 'agreement' ? 0 : i], reward })
      return withWeighted(group, config.name, config.weight, rewards, key)
    }
    return { groups: groups.pipe(context.each(judge)) }
  },
})

const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }

/** 1 if both answers, or their first characters, are the same; null where the judge has given none: nothing to compare. */
export function agreement(text: string, judged: string): 0 | 1 | null {
  const [answer, truth] = [text, judged].map(one => answerBetweenTags(one, { edges: true }))
  if (truth === undefined || strip(truth) === '') return null
  if (answer === undefined || strip(answer) === '') return 0
  return firstOf(strip(answer)) === firstOf(strip(truth)) ? 1 : 0
}

function checkFeatures({ prompt: { features } }: Group, model: LoadedModel, who: string): void {
  const width = features.shape.at(-1)
  const { hidden } = model.shape.vision
  if (width === hidden) return
  throw new RewardError(
    'bad-judge',
    `${who}: its vision tower must be the policy's, of width ${width}; found ${hidden}; take a model of the same family`,
  )
}
