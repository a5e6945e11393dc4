import { loadGraph } from '../../graph/check.ts'
import { showBytes } from '../../shared/bytes.ts'
import { number } from '../../shared/number.ts'
import { table } from '../../shared/table.ts'
import { onlyWord, UsageError } from '../arguments.ts'
import { pluginFlags } from '../plug.ts'
import { profileOf } from '../simulation/profile.ts'
import { type Simulated, simulate as simulated, type Times } from '../simulation/workers.ts'
import { setFlag, type Verb } from '../verb.ts'

export const simulate: Verb = {
  summary: "Says from a run's times what other numbers of workers would do.",
  usage: 'GRAPH --profile RUN',
  loads: 'graphs',
  flags: {
    profile: { value: 'RUN', description: 'A run of the graph, in one process or with --workers.' },
    workers: { value: 'LIST', description: 'Numbers of workers (default 1,2,4,8,16,32,64).' },
    set: setFlag,
    ...pluginFlags,
  },
  example: [
    'npx flow run flow:grpo.json --set steps=4 --out runs/profile',
    'npx flow simulate flow:grpo.json --profile runs/profile --workers 1,8,64,512',
  ].join('\n'),
  run: async (words, { registry, environment, print }) => {
    const file = onlyWord(words, 'graph file')
    const run = words.last('profile')
    if (run === undefined) throw new UsageError('--profile RUN: must be given')
    const counts = countsIn(words.last('workers') ?? '1,2,4,8,16,32,64')
    const plan = loadGraph(file, registry, { set: words.all('set'), environment })
    const { times, part, versionBytes } = profileOf(plan, run)
    const results = counts.map(count => simulated(times, count))
    const titles = ['workers', 'items/s', '×', 'workers busy', 'update busy', 'lag', 'weights/s']
    print(`part "${part.name}", ${part.credits} items at most in its hands${gateText(times)}`)
    for (const line of table([titles, ...results.map(one => rowOf(one, results[0], versionBytes))]))
      print(line)
    print(limitOf(results, times))
    if (versionBytes === undefined && times.versions)
      print('the run copied no weights (it had no workers): the time of copies and their bytes are left out')
    return 0
  },
}

function countsIn(text: string): number[] {
  const counts = text.split(',').map(Number)
  if (counts.every(count => Number.isInteger(count) && count >= 1 && count <= 4096)) return counts
  throw new UsageError(`--workers: must be whole numbers from 1 to 4096, e.g. 1,8,64, found "${text}"`)
}

const gateText = ({ versions }: Times): string =>
  versions ? `, maxLag ${versions.maxLag}, ${versions.items} items an update` : ''

function rowOf(one: Simulated, first: Simulated | undefined, bytes: number | undefined): string[] {
  const { workers, perSecond, busy, updating, lag, taken } = one
  return [
    String(workers),
    number(perSecond),
    (perSecond / (first?.perSecond ?? perSecond)).toFixed(2),
    `${(busy * 100).toFixed(0)} %`,
    `${(updating * 100).toFixed(0)} %`,
    lag.toFixed(2),
    bytes === undefined ? 'unknown' : `${showBytes(Math.round(taken * bytes))}`,
  ]
}

/** Where more workers no longer help, and what holds them back: what helps when it is taken away. */
function limitOf(results: readonly Simulated[], times: Times): string {
  const at = results.findIndex((one, i) => {
    const next = results[i + 1]
    return next !== undefined && next.workers > one.workers && next.perSecond < one.perSecond * 1.05
  })
  const found = results[at]
  if (!found) return 'more workers still help'
  const { versions } = times
  const many = results.at(-1)?.workers ?? found.workers
  const without = {
    'the credits of the part': { ...times, credits: Number.POSITIVE_INFINITY },
    ...(versions && {
      maxLag: { ...times, versions: { ...versions, maxLag: 1e9 } },
      'the update and its copies': { ...times, versions: { ...versions, update: 0, copy: 0 } },
    }),
    'the nodes before the part': { ...times, before: [] },
    'the nodes after the part': { ...times, after: [] },
  }
  const gains = Object.entries(without).map(
    ([name, changed]) => [name, simulated(changed, many).perSecond] as const,
  )
  const [name, rate] = gains.reduce((best, one) => (one[1] > best[1] ? one : best))
  const text = `it stops scaling at ${found.workers} ${found.workers === 1 ? 'worker' : 'workers'}`
  if (!(rate > found.perSecond * 1.05)) return `${text}: several limits together`
  return `${text}: ${name} holds it back (without it ${number(rate)} items/s)`
}
