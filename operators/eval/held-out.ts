import { merge } from 'rxjs'
import { operator } from '../../engine/operator.ts'
import type { Completion, Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { EvaluationError } from './evaluation-error.ts'
import type { HeldOut } from './every.ts'

/** The line of metrics has the names of rewards with `eval/` before them, and the update's number as its step. */
export default operator({
  summary:
    'Reports the means of the rewards of held-out questions for the update that they were asked after.',
  config: {},
  inputs: {
    groups: {
      ...groupPort,
      description: 'The answers to the questions of `eval.every`, with their rewards.',
    },
    versions: { kind: 'version', description: 'Updates without an evaluation.' },
  },
  outputs: {
    versions: { kind: 'version', description: 'Every update; one with an evaluation follows its results.' },
  },
  drops: true,
  serial: true,
  metrics: (_config, rewards) => [...rewards, 'reward', 'finished', 'length'].map(name => `eval/${name}`),
  run: ({ groups, versions }, _config, context) => {
    let answered: Completion[] = []
    let count = 0
    const add = (group: Group, { key }: { key: string }) => {
      const { version, questions } = heldOutOf(group, key)
      answered.push(...group.completions)
      count++
      for (const { rewards, text } of group.completions)
        context.record('held-out', {
          step: version,
          key,
          solution: group.prompt.sample.solution,
          text,
          rewards,
        })
      if (count < questions) return undefined
      context.record('metrics', { step: version, ...meansOf(answered) })
      answered = []
      count = 0
      return context.emit(version, { keep: false })
    }
    return { versions: merge(groups.pipe(context.each(add)), versions) }
  },
})

function heldOutOf({ prompt }: Group, key: string): HeldOut {
  const found = prompt.sample.fields.heldOut
  // what eval.every puts there
  if (typeof found === 'object' && found !== null) return found as HeldOut
  throw new EvaluationError(
    'no-held-out',
    `sample ${key}: must come from eval.every, which says what it belongs to`,
  )
}

function meansOf(completions: readonly Completion[]): Record<string, number> {
  const names = new Set(completions.flatMap(({ rewards = {} }) => Object.keys(rewards)))
  const mean = (of: (completion: Completion) => number | null | undefined) => {
    const values = completions.map(of).filter(value => typeof value === 'number')
    return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1)
  }
  return {
    ...Object.fromEntries([...names].map(name => [`eval/${name}`, mean(({ rewards }) => rewards?.[name])])),
    'eval/reward': mean(({ reward }) => reward),
    'eval/finished': mean(({ finished }) => Number(finished)),
    'eval/length': mean(({ ids }) => ids.length),
  }
}
