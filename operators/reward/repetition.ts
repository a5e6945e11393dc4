import { reward } from './reward.ts'

export default reward(
  'repetition',
  'Lowers the combined reward of repetitive completions.',
  ({ ids }, { config }) => repetitionReward(ids, config.size),
  {
    size: {
      type: 'integer',
      minimum: 1,
      default: 3,
      description: 'Length of the runs of tokens that should not repeat.',
    },
    weight: { type: 'number', default: 1, description: 'Penalty if every run were a repetition.' },
  },
)

/** Minus the share of runs of `size` tokens that occur earlier in the completion; 0 without a run. */
export function repetitionReward(ids: readonly number[], size: number): number {
  const runs = ids.slice(size - 1).map((_, i) => ids.slice(i, i + size).join(' '))
  return runs.length === 0 ? 0 : new Set(runs).size / runs.length - 1
}
