import type { Config, Fields } from '../../engine/operator.ts'
import { fingerprints } from '../../kernels/networks/training/fingerprints.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import { GroupError } from './group-error.ts'

const limit = (event: string) =>
  ({
    type: 'integer',
    minimum: 0,
    default: 0,
    description: `Stop the run after this many ${event}; 0: never.`,
  }) as const

export const alarmFields = {
  uniformBatches: limit('batches in a row in which the rewards of each group are all equal'),
  truncatedBatches: limit('batches in a row in which every completion was cut at the length limit'),
  stillRewardBatches: limit('batches in a row with the same mean reward as the batch before'),
  stillParameterUpdates: limit(
    'updates (of those with a gradient and at least a tenth of the peak learning rate) in which some trained weight has not changed',
  ),
} as const satisfies Fields

export type AlarmOptions = Config<typeof alarmFields>

/** The metrics that alarms look at, by their names in `metrics.jsonl`. */
export interface BatchMetrics {
  reward: number
  frac_reward_zero_std: number
  truncated: number
}

export interface UpdateResult {
  gradientNorm: number
  learningRate: number
  /** The largest rate of the schedule. Near the end of a schedule, small steps are lost in rounding, which is no fault. */
  peakLearningRate: number
}

export interface Alarms {
  /** Called once a batch. */
  batch(metrics: BatchMetrics): void
  /** Called before the first update of a run: remembers the weights to compare with. */
  begin(): Promise<void>
  /** Called after each update. */
  update(result: UpdateResult): Promise<void>
}

/** The counts so far, saved in checkpoints. */
export interface AlarmState {
  /** Batches in a row of each kind. */
  uniform: number
  truncated: number
  still: number
  /** Mean reward of the batch before; null before the first one. */
  reward: number | null
  /** Updates that should have changed weights. */
  updates: number
  /** Checksums of the weights that have not changed since the first update; null before it. */
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

/** Counts in `state` how often each thing went wrong in a row; throws a `GroupError` at the limit. */
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
  `the mean reward was ${reward} in ${batches} batches in a row (stillRewardBatches); check what the reward operators get and give`

function stillParameters(unchanged: readonly string[], all: number, updates: number): string {
  const names = unchanged.slice(0, 3).join(', ') + (unchanged.length > 3 ? ', …' : '')
  return `${unchanged.length} of ${all} trained weights did not change in ${updates} updates (stillParameterUpdates): ${names}; they get no gradient, or the learning rate is lost in rounding`
}
