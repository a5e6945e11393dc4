import { tap } from 'rxjs'
import { type Context, operator } from '../../engine/operator.ts'
import { readFile, writeFile } from '../../engine/platform/files.ts'
import { join } from '../../engine/platform/paths.ts'
import { groupMetricNames, groupMetrics, type MeasuredGroup, sampleRecords } from '../grpo/group-metrics.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { addGroup, atEnd, nothingSeen, type StillRewards } from './still-rewards.ts'

/**
 * Any loss can come after it, or none. It counts steps as the update after it does: a step is the number of the last update
 * on a batch. The last batch may be short.
 */
export default operator({
  summary:
    'Records completions with their rewards in samples.jsonl and their means in metrics.jsonl, and passes groups on.',
  config: {
    name: {
      type: 'string',
      default: '',
      description: 'Comes with `/` before the names of the metrics and is in each sample; empty: neither.',
    },
    samples: { type: 'boolean', default: true, description: 'Record each completion.' },
    metrics: {
      type: 'boolean',
      default: true,
      description:
        'Record means of rewards and lengths; grpo.update and other losses record them themselves.',
    },
    groupsPerUpdate: {
      type: 'integer',
      minimum: 1,
      default: 1,
      description: 'Groups of one step; as in the update that follows.',
    },
    updatesPerBatch: {
      type: 'integer',
      minimum: 1,
      default: 1,
      description: 'Steps from one batch to the next; as in the update that follows.',
    },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  effects: true,
  drops: false,
  marks: () => ({}),
  serial: true,
  metrics: ({ name, metrics }, rewards) =>
    metrics ? groupMetricNames(rewards).map(one => (name ? `${name}/${one}` : one)) : [],
  run: ({ groups }, { name, samples, metrics, groupsPerUpdate, updatesPerBatch }, context) => {
    const kept = keptBatch(context)
    const warn = (said: string | undefined) => {
      if (said !== undefined) context.log(said, 'warn')
    }
    const stepOf = (count: number) => Math.ceil(count / groupsPerUpdate) * updatesPerBatch
    const writeMeans = () => {
      const { pending, count } = kept.state
      if (pending.length === 0) return
      const means = Object.entries(groupMetrics(pending.map(({ group }) => group)))
      const key = pending.map(one => one.key).join(' ')
      const named = means.map(([metric, value]) => [name ? `${name}/${metric}` : metric, value])
      context.record('metrics', { step: stepOf(count), key, ...Object.fromEntries(named) })
      pending.length = 0
    }
    const record = (group: Group, { key }: { key: string }) => {
      const { state } = kept
      const step = stepOf(++state.count)
      if (samples)
        for (const sample of sampleRecords(group))
          context.record('samples', { step, key, ...(name !== '' && { name }), ...sample })
      if (metrics) {
        state.pending.push({ key, group: withoutPrompt(group) })
        if (state.count % groupsPerUpdate === 0) writeMeans()
      }
      warn(addGroup(state.still, group.completions))
      return group
    }
    const end = () => {
      writeMeans()
      warn(atEnd(kept.state.still))
    }
    return { groups: groups.pipe(context.each(record), tap({ complete: end })) }
  },
})

const withoutPrompt = ({ completions, droppedBefore }: Group): MeasuredGroup =>
  droppedBefore === undefined ? { completions } : { completions, droppedBefore }

interface Batch {
  /** Groups so far. */
  count: number
  /** Those of the batch that is not complete. */
  pending: { key: string; group: MeasuredGroup }[]
  still: StillRewards
}

/** The batch so far, saved in the run's checkpoints. */
function keptBatch(context: Context): { state: Batch } {
  const kept: { state: Batch } = { state: { count: 0, pending: [], still: nothingSeen() } }
  context.checkpoint({
    save: folder => writeFile(join(folder, 'batch.json'), `${JSON.stringify(kept.state)}\n`),
    restore: async folder => {
      // `save` wrote this file, and an incomplete checkpoint is never restored
      const saved = JSON.parse(await readFile(join(folder, 'batch.json'), 'utf8')) as Batch
      kept.state = { ...kept.state, ...saved }
    },
  })
  return kept
}
