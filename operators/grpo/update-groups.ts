import type {
  Config,
  Context,
  Fields,
  Known,
  MemoryUse,
  Outlines,
  Share,
  Stream,
  Streams,
  Team,
} from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { trainsVision } from '../../kernels/networks/tower-features.ts'
import type { Group } from '../kinds.ts'
import { type ScheduledOptimizer, scalingMetricNames } from '../model/adamw.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { updateFindings, updatesOf } from '../model/planned-updates.ts'
import { scoreMemory, trainMemory } from '../model/sizes.ts'
import { refuseOtherWeights } from '../model/summed-gradients.ts'
import { skippedMetric } from '../skipped-metric.ts'
import { collect, type Member } from '../stream/collect.ts'
import { type AlarmOptions, type Alarms, alarmFields, alarms } from './alarms.ts'
import { entropyWeight, steered } from './entropy.ts'
import { GroupError } from './group-error.ts'
import { generationPace, groupMetricNames, groupMetrics } from './group-metrics.ts'
import { grpoLoss, type LossFunction } from './loss.ts'
import { moveReference, type ReferenceOptions } from './moving-reference.ts'
import { type PrepareOptions, prepare, prepareFields, type UpdateShare } from './prepare.ts'
import { tokenRecordFields, tokenRecords } from './token-records.ts'
import { type TrainOptions, type UpdateMetrics, updateOnce } from './train.ts'
import { updateState } from './update-state.ts'
import { withFeatures } from './with-features.ts'

/** Config of every operator that updates a policy from groups, whatever its loss. */
export const updateFields = {
  model: { type: 'string', resource: 'model', description: 'The policy.' },
  reference: {
    type: 'string',
    resource: 'model',
    default: '',
    description: 'The frozen model that the loss compares the policy with; empty if it needs none.',
  },
  optimizer: { type: 'string', resource: 'optimizer', description: "The policy's optimizer." },
  groupsPerUpdate: {
    type: 'integer',
    minimum: 1,
    default: 1,
    description: 'Groups whose gradients are summed for one update; the last update may have fewer.',
  },
  updatesPerBatch: {
    type: 'integer',
    minimum: 1,
    default: 1,
    description:
      'Updates on the same groups; from the second one on, the ratio compares with the policy before the first.',
  },
  ...prepareFields,
  ...alarmFields,
  ...tokenRecordFields,
} as const satisfies Fields

export type UpdateOptions = Config<typeof updateFields> &
  TrainOptions &
  PrepareOptions &
  ReferenceOptions &
  AlarmOptions &
  Config<typeof tokenRecordFields>

/** Memory of an update besides the groups. */
export function updateMemory(
  { model, reference, beta, topEntropy }: Pick<UpdateOptions, 'model' | 'reference' | 'beta' | 'topEntropy'>,
  { outline, dims }: Known,
): MemoryUse[] {
  const about = { frames: dims.F, count: dims.G, length: dims.T }
  return [
    ...trainMemory(outline(model), about),
    ...(beta > 0 && reference !== '' ? scoreMemory(outline(reference), about, 'reference') : []),
    ...(topEntropy < 1 ? scoreMemory(outline(model), about, 'policy') : []),
  ]
}

/** What an update was done with, and what it gave. */
interface Updated {
  readonly result: UpdateMetrics
  readonly learningRate: number
  readonly entropyCoefficient: number
}

/** The work of a process on its groups of a batch; it gives the records of their tokens if the config asks for them. */
export function groupLearner(config: UpdateOptions, context: Context, lossOf: LossFunction = grpoLoss) {
  const state = updateState(config, context)
  /** `after` is called after each update. */
  const learn = async (
    groups: Share<Group>,
    team: Team,
    after: (updated: Updated) => Promise<void> = async () => {},
  ) => {
    const policy = context.resource<LoadedModel>(config.model)
    const reference = config.beta > 0 ? context.resource<LoadedModel>(config.reference) : null
    const optimizer = context.resource<ScheduledOptimizer>(config.optimizer)
    const shares: UpdateShare[] = []
    try {
      for await (const group of withFeatures(groups, context))
        shares.push(await prepare(group, policy, reference, config, policy.config.eosIds))
      for (let i = 0; i < config.updatesPerBatch; i++) {
        const learningRate = optimizer.learningRate()
        const entropyCoefficient = entropyWeight(state.entropy, config)
        const options = { ...config, entropyCoefficient }
        const result = await updateOnce(shares, policy, optimizer, options, lossOf, team)
        policy.version++
        state.entropy = steered(state.entropy, result.entropy, config)
        if (reference) await moveReference(policy, reference, config)
        await after({ result, learningRate, entropyCoefficient })
      }
      await refuseOtherWeights(policy, team)
      if (!config.recordTokens) return []
      const own = await Promise.all(shares.map(share => tokenRecords(share, policy.tokenizer)))
      return (await team.gather(own)).flat()
    } finally {
      for (const { support } of shares) if (support) policy.device.freeTensor(support)
    }
  }
  return { state, learn }
}

/** How processes share the groups of an update. The features of a prompt travel unless they lie in a file: their clip may be far. */
export const groupTeam = {
  pieces: 'groupsPerUpdate',
  outgoing: ({ prompt: { made, ...prompt }, ...group }: Group): Group => ({
    ...group,
    prompt: made?.file === undefined ? prompt : { ...prompt, made: { ...made, lent: true } },
  }),
} as const

/** The names of what `updateGroups` records, beside `step` and `key`. */
export const updateMetricNames = (rewards: readonly string[]): string[] => [
  ...['loss', 'kl', 'grad_norm', 'entropy', 'clip_ratio/low_mean', 'clip_ratio/high_mean'],
  ...['clip_ratio/region_mean', ...scalingMetricNames, ...groupMetricNames(rewards)],
  ...['policy_lag', 'generate_seconds', 'tokens_per_second', 'skipped', 'entropy_coef'],
  ...['learning_rate', 'update_seconds', 'seconds'],
]

type Batches = Pick<UpdateOptions, 'optimizer' | 'groupsPerUpdate' | 'updatesPerBatch'>

const batchOf = ({ optimizer, groupsPerUpdate, updatesPerBatch }: Batches) => {
  const by = `groupsPerUpdate ${groupsPerUpdate}`
  return { optimizer, items: groupsPerUpdate, by, updates: updatesPerBatch }
}

/** Compares the updates that `groups` groups make with the steps of the optimizer. */
export const inspectGroupCount = (groups: number, config: Batches, known: Outlines) =>
  updateFindings(groups, batchOf(config), known)

/** The number of updates that `groups` groups make. */
export const groupUpdates = (config: Batches, groups: number): number => updatesOf(groups, batchOf(config))

/**
 * Updates the policy with the gradient of a loss of groups, and records metrics. A group is one sequence, its prompt
 * followed by all its completions, so the prompt is computed once.
 */
export function updateGroups(
  groups: Stream,
  config: UpdateOptions,
  context: Context,
  lossOf: LossFunction = grpoLoss,
): Streams {
  const begun = performance.now()
  const { state, learn } = groupLearner(config, context, lossOf)
  let watch: Alarms | undefined
  const update = async (batch: readonly Member<Group>[]) => {
    const policy = context.resource<LoadedModel>(config.model)
    const { totalSteps, peakLearningRate } = context.resource<ScheduledOptimizer>(config.optimizer)
    const values = batch.map(member => member.value)
    if (trainsVision(policy.weights))
      throw new GroupError(
        'trained-vision',
        `model ${config.model}: visionTune must be "frozen" for updates on groups, because the features of prompts are computed before; found a trained vision tower`,
      )
    const alarm = watch ?? alarms(config, policy, state.alarms)
    watch = alarm
    await alarm.begin()
    const batchMetrics = {
      ...groupMetrics(values),
      policy_lag: policy.version - Math.min(...values.map(group => group.policyVersion)),
      key: batch.map(member => member.key).join(' '),
      ...generationPace(values),
    }
    let started = performance.now()
    const record = async ({ result, learningRate, entropyCoefficient }: Updated) => {
      const now = performance.now()
      context.progress({ done: policy.version, total: totalSteps })
      context.record('metrics', {
        step: policy.version,
        ...result,
        ...batchMetrics,
        ...skippedMetric(context),
        ...(config.entropyTarget > 0 && { entropy_coef: entropyCoefficient }),
        learning_rate: learningRate,
        update_seconds: (now - started) / 1000,
        seconds: (now - begun) / 1000,
      })
      started = now
      await alarm.update({ gradientNorm: result.grad_norm, learningRate, peakLearningRate })
    }
    const tokens = await context.together(values, (share: Share<Group>, team) => learn(share, team, record))
    for (const [i, records] of tokens.entries())
      for (const tokens of records)
        context.record('tokens', { step: policy.version, key: at(batch, i).key, ...tokens })
    alarm.batch(batchMetrics)
    return policy.version
  }
  return {
    version: groups.pipe(collect<Group>(config.groupsPerUpdate), context.each(update, { keep: false })),
  }
}
