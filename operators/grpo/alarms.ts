import type { Config, Fields } from '../../engine/operator.ts'
import { fingerprints } from '../../kernels/networks/fingerprints.ts'
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

/** Counts what goes wrong in a row and throws a `GroupError` at the limit. A resumed run counts from 0 again. */
export function alarms(options: AlarmOptions, policy: VideoModel): Alarms {
  const uniform = streak('uniform-rewards', options.uniformBatches)
  const truncated = streak('all-truncated', options.truncatedBatches)
  const still = streak('still-reward', options.stillRewardBatches)
  const every = options.stillParameterUpdates
  let reward: number | undefined
  /** Weights that have not changed yet, as they were in the beginning. */
  let before: ReadonlyMap<string, number> | undefined
  let updates = 0
  return {
    batch(metrics) {
      uniform(metrics.frac_reward_zero_std === 1, n => {
        return `all rewards of each group were equal in ${n} batches in a row (uniformBatches), so no advantage says which completion is better; look at the rewards, raise the temperature or filter groups`
      })
      truncated(metrics.truncated === 1, n => {
        return `every completion of ${n} batches in a row was cut by the length limit (truncatedBatches); raise maxNewTokens, or start from a model that ends its answers`
      })
      const same = metrics.reward === reward
      reward = metrics.reward
      still(same, n => {
        return `the mean reward was ${reward} in ${n + 1} batches in a row (stillRewardBatches); look at what the rewards are given and what they say`
      })
    },
    async begin() {
      if (every > 0) before ??= await fingerprints(policy)
    },
    async update({ gradientNorm, learningRate, peakLearningRate }) {
      if (every === 0 || before?.size === 0) return
      if (gradientNorm === 0 || learningRate === 0 || learningRate < peakLearningRate / 10) return
      updates++
      if (updates % every !== 0) return
      const after = await fingerprints(policy)
      before = new Map([...(before ?? after)].filter(([name, sum]) => after.get(name) === sum))
      if (before.size > 0)
        throw new GroupError('still-parameter', stillParameters([...before.keys()], after.size, every))
    },
  }
}

/** Throws when a thing was so `most` times one after another. */
function streak(
  code: GroupError['code'],
  most: number,
): (isSo: boolean, message: (count: number) => string) => void {
  let count = 0
  return (isSo, message) => {
    count = isSo ? count + 1 : 0
    if (most > 0 && count >= most) throw new GroupError(code, message(count))
  }
}

function stillParameters(unchanged: readonly string[], all: number, updates: number): string {
  const names = unchanged.slice(0, 3).join(', ') + (unchanged.length > 3 ? ', …' : '')
  return `${unchanged.length} of ${all} trained weights did not change in ${updates} updates (stillParameterUpdates): ${names}; they get no gradient, or the learning rate is lost in rounding`
}
