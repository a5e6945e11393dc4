import type { Config, Fields } from '../../engine/operator.ts'
import { fingerprints } from '../../kernels/networks/training/fingerprints.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import { GroupError } from './group-error.ts'

const limit = (what: string) =>
  ({
    type: 'integer',
    minimum: 0,
    default: 0,
    description: `${what} that stop the run; 0: none do.`,
  }) as const

export const alarmFields = {
  uniformBatches: limit('Batches in a row in each of whose groups all rewards are equal'),
  truncatedBatches: limit('Batches in a row of whose completions the length limit cut every one'),
  stillRewardBatches: limit('Batches in a row whose mean reward is that of the batch before'),
  stillParameterUpdates: limit(
    'Updates, of those with a gradient and at least a tenth of the peak rate, in which some trained weight has never changed',
  ),
} as const satisfies Fields

export type AlarmOptions = Config<typeof alarmFields>

/** What alarms look at, by the names of `metrics.jsonl`. */
export interface BatchMetrics {
  reward: number
  frac_reward_zero_std: number
  truncated: number
}

export interface UpdateMade {
  gradientNorm: number
  learningRate: number
  /** The largest rate of the schedule: at the end of one, steps are lost in rounding as they should be. */
  peakLearningRate: number
}

export interface Alarms {
  /** Once a batch, before its updates. */
  batch(metrics: BatchMetrics): void
  /** Before the first update of a run, so that there is something to compare with. */
  begin(): Promise<void>
  /** After each update. */
  update(of: UpdateMade): Promise<void>
}

/** What alarms have counted so far, as a checkpoint keeps it. */
export interface AlarmState {
  /** Batches in a row of each kind. */
  uniform: number
  truncated: number
  still: number
  /** Of the batch before; null before the first one. */
  reward: number | null
  /** Updates that should have changed weights. */
  updates: number
  /** Checksums of weights that have not changed yet, as they were in the beginning; null before it. */
  unchanged: Readonly<Record<string, number>> | null
}

export const nothingCounted: Readonly<AlarmState> = {
  uniform: 0,
  truncated: 0,
  still: 0,
  reward: null,
  updates: 0,
  unchanged: null,
}

/** Counts in `state` what goes wrong in a row and throws a `GroupError` at the limit. */
export function alarms(
  options: AlarmOptions,
  policy: VideoModel,
  state: AlarmState = { ...nothingCounted },
): Alarms {
  const every = options.stillParameterUpdates
  return {
    batch(metrics) {
      const isSame = metrics.reward === state.reward
      state.reward = metrics.reward
      state.uniform = metrics.frac_reward_zero_std === 1 ? state.uniform + 1 : 0
      state.truncated = metrics.truncated === 1 ? state.truncated + 1 : 0
      state.still = isSame ? state.still + 1 : 0
      if (reached(state.uniform, options.uniformBatches))
        throw new GroupError('uniform-rewards', uniformRewards(state.uniform))
      if (reached(state.truncated, options.truncatedBatches))
        throw new GroupError('all-truncated', allTruncated(state.truncated))
      if (reached(state.still, options.stillRewardBatches))
        throw new GroupError('still-reward', stillReward(metrics.reward, state.still + 1))
    },
    async begin() {
      if (every > 0) state.unchanged ??= Object.fromEntries(await fingerprints(policy))
    },
    async update({ gradientNorm, learningRate, peakLearningRate }) {
      const unchanged = Object.entries(state.unchanged ?? {})
      if (every === 0 || unchanged.length === 0) return
      if (gradientNorm === 0 || learningRate === 0 || learningRate < peakLearningRate / 10) return
      state.updates++
      if (state.updates % every !== 0) return
      const now = await fingerprints(policy)
      const left = unchanged.filter(([name, sum]) => now.get(name) === sum)
      state.unchanged = Object.fromEntries(left)
      if (left.length === 0) return
      const names = left.map(([name]) => name)
      throw new GroupError('still-parameter', stillParameters(names, now.size, every))
    },
  }
}

/** Whether any alarm is on. */
export const watches = (options: AlarmOptions): boolean =>
  [
    options.uniformBatches,
    options.truncatedBatches,
    options.stillRewardBatches,
    options.stillParameterUpdates,
  ].some(limit => limit > 0)

const reached = (count: number, limit: number): boolean => limit > 0 && count >= limit

const uniformRewards = (batches: number): string =>
  `all rewards of each group were equal in ${batches} batches in a row (uniformBatches), so no advantage says which completion is better; look at the rewards, raise the temperature or filter groups`

const allTruncated = (batches: number): string =>
  `every completion of ${batches} batches in a row was cut by the length limit (truncatedBatches); raise maxNewTokens, or start from a model that ends its answers`

const stillReward = (reward: number, batches: number): string =>
  `the mean reward was ${reward} in ${batches} batches in a row (stillRewardBatches); look at what the rewards are given and what they say`

function stillParameters(unchanged: readonly string[], all: number, updates: number): string {
  const names = unchanged.slice(0, 3).join(', ') + (unchanged.length > 3 ? ', …' : '')
  return `${unchanged.length} of ${all} trained weights did not change in ${updates} updates (stillParameterUpdates): ${names}; they get no gradient, or the learning rate is lost in rounding`
}
