import { learningRateAt, type Schedule } from '../../operators/model/schedule.ts'
import type { Plan } from '../graph/plan.ts'
import { number } from '../shared/number.ts'

/** What becomes of the learning rate of each optimizer of a run that goes on to more updates than it was to do. */
export function scheduleLines(before: Plan, now: Plan, done: number): string[] {
  return now.resources.flatMap(({ name, config }) => {
    const earlier = scheduleIn(before.resources.find(one => one.name === name)?.config ?? {})
    const schedule = scheduleIn(config)
    if (!schedule || !earlier || schedule.steps === earlier.steps) return []
    const [was, is] = [earlier, schedule].map(one => number(learningRateAt(done, one)))
    const next = `update ${done + 1} has ${is}`
    return was === is
      ? [`${name}: the learning rate goes on as it was (${schedule.schedule}): ${next}`]
      : [
          `${name}: the learning rate (${schedule.schedule}) is drawn anew over ${schedule.steps} updates: ${next}, which would be ${was} by the schedule of ${earlier.steps}`,
        ]
  })
}

/** The schedule that a config states, if it is of an optimizer. */
function scheduleIn({
  learningRate,
  schedule,
  warmupRatio,
  steps,
}: Readonly<Record<string, unknown>>): Schedule | undefined {
  const isKnown = schedule === 'constant' || schedule === 'linear' || schedule === 'cosine'
  const areNumbers =
    typeof learningRate === 'number' && typeof warmupRatio === 'number' && typeof steps === 'number'
  return isKnown && areNumbers ? { learningRate, schedule, warmupRatio, steps } : undefined
}
