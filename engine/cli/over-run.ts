// `flow run` as the home part of a graph over many processes.
import { modelDigests } from '../../operators/model/digests.ts'
import type { Plan, PlannedNode, Registry } from '../graph/plan.ts'
import { pluginsOf } from '../graph/plugins.ts'
import type { Home } from '../over/home.ts'
import type { RunLink } from '../run/summary.ts'
import { CodedError } from '../shared/errors.ts'
import { type Arguments, type Flag, UsageError } from './arguments.ts'
import { gpusIn, type Seat, seatsOf } from './gpus.ts'
import { type StoredPlugin, withoutReplaced } from './moved-plugins.ts'
import { modulePath, storedPlugins } from './plug.ts'
import { secondsIn } from './seconds-in.ts'
import type { World } from './verb.ts'

export const overFlags = {
  over: {
    value: 'ADDRESS',
    description: 'Give the parts of the graph to `flow work` at this NATS server (nats://HOST).',
  },
  workers: {
    value: 'N',
    description: 'Give the parts to N processes on this machine, by a server of their own.',
  },
  gpus: {
    value: 'LIST',
    description: 'As --workers, one on each of these GPUs (0,1 or 0-3); --learners take them in turn.',
  },
  part: {
    value: 'NAME=NODES',
    many: true,
    description: "A part in place of the graph's, e.g. rollouts=clips,frames,prompts,groups.",
  },
} satisfies Record<string, Flag>

/** How a run begins over many processes, and how it ends. */
export interface OverRun {
  readonly plan: Plan
  readonly link?: RunLink
  /** `ended`: it need not go on. */
  close(ended: boolean): Promise<void>
}

interface Started {
  readonly plan: Plan
  readonly seed: number
  readonly directory: string
  readonly facts?: Readonly<Record<string, unknown>>
}

/** The run in this process alone, or its home part when the command says so. `gpus`: those that `--gpus` names. */
export async function overRun(
  { plan, seed, directory, facts }: Started,
  gpus: readonly Seat[] | undefined,
  words: Arguments,
  world: World,
): Promise<OverRun> {
  const address = words.last('over')
  const { workers } = workersOf(words)
  if (workers === undefined) return { plan, close: async () => {} }
  // the GPUs are those of its learners alone
  if (gpus && plan.parts.length === 0 && words.last('learners') !== undefined)
    return { plan, close: async () => {} }
  if (plan.parts.length === 0)
    throw new UsageError(
      `${plan.file}: must state "parts" to run over many processes, or the command --part NAME=NODE,NODE`,
    )
  const { openHome } = await import('../over/home.ts')
  const set = Array.isArray(facts?.set) ? facts.set.map(String) : []
  // those of the graph stand in its text
  const stored = storedPlugins(facts ?? {})
  const plugins = stored.map(({ name }) => name)
  const controller = new AbortController()
  const leaseSeconds = secondsIn('FLOW_LEASE_SECONDS', world.environment)
  let home: Home | undefined
  const lost = (part: string) =>
    home?.fail(new CodedError('no-workers', `no worker of part "${part}" is left`))
  const seats = gpus ?? Array.from({ length: workers }, () => undefined)
  const group =
    address === undefined ? await startWorkers(plan, seats, stored, { directory, world, lost }) : undefined
  try {
    home = await openHome(plan, {
      address: group?.address ?? natsAddress(address ?? ''),
      environment: group?.environment ?? world.environment,
      directory,
      forms: formsOf(world.registry),
      facts: { seed, set, parts: words.all('part'), plugins },
      digests: resources => digestsOf(plan, resources),
      leaseSeconds,
      signal: controller.signal,
      log: world.complain,
    })
    const opened = home
    return {
      plan: opened.plan,
      link: opened.link,
      close: async ended => {
        await opened.close(ended)
        controller.abort()
        await group?.stop()
      },
    }
  } catch (error) {
    await group?.stop()
    throw error
  }
}

/** The nodes that run on this machine: with `--over`, workers elsewhere may run those of the parts. */
export const ownNodes = ({ nodes, parts }: Plan, words: Arguments): readonly PlannedNode[] =>
  words.last('over') === undefined
    ? nodes
    : nodes.filter(({ name }) => !parts.some(part => part.nodes.has(name)))

async function startWorkers(
  plan: Plan,
  seats: readonly (Seat | undefined)[],
  stored: readonly StoredPlugin[],
  about: { directory: string; world: World; lost(part: string): void },
) {
  const { startWorkers } = await import('./workers.ts')
  const ofGraph = withoutReplaced<StoredPlugin>(pluginsOf(plan.file), stored)
  return startWorkers({
    ...about,
    seats,
    parts: plan.parts.map(({ name }) => name),
    plugins: [...stored, ...ofGraph].map(modulePath),
  })
}

export const formsOf = ({ forms = {} }: Registry) => forms

/** The digest of each model among the resources: workers must have the same. */
export async function digestsOf(plan: Plan, resources: ReadonlySet<string>): Promise<Record<string, string>> {
  const models = plan.resources.filter(
    ({ name, resource }) => resources.has(name) && resource.kind === 'model',
  )
  const entries = models.map(
    async ({ name, config }) => [name, JSON.stringify(await modelDigests(config, ''))] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}

/** An address like nats://HOST or tls://HOST:PORT. What stands before the host is a secret: it is not said again. */
export function natsAddress(text: string): string {
  const address = URL.canParse(text) ? new URL(text) : undefined
  const shown = text.replace(/[^/]*@/, '…@')
  if (!address || !['nats:', 'tls:'].includes(address.protocol) || address.host === '')
    throw new UsageError(`${shown}: must be the address of a NATS server: nats://HOST or nats://HOST:PORT`)
  if (address.username === '' && address.password === '') return text
  throw new UsageError(
    `${shown}: must not hold credentials: everybody on this machine can read the words of a command`,
    'set FLOW_NATS_TOKEN, or FLOW_NATS_USER and FLOW_NATS_PASSWORD, or name a file by FLOW_NATS_NKEY or FLOW_NATS_CREDS',
  )
}

/** The address of the server that the command names. */
export function serverIn(words: Arguments): string | undefined {
  const text = words.last('over')
  return text === undefined ? undefined : natsAddress(text)
}

/** The GPUs that the command names; undefined when it names none. The first is also that of this process. */
export function namedGpus(words: Arguments): Seat[] | undefined {
  const { gpus } = workersOf(words)
  if (!gpus) return undefined
  const seats = seatsOf(gpus)
  process.env.FLOW_ADAPTER ??= gpus[0]
  return seats
}

/**
 * How many workers of each part the command has flow start, and the GPUs that it names for them: 0 where they are started by hand,
 * undefined where one process does all.
 */
export function workersOf(words: Arguments): { workers?: number; gpus?: readonly string[] } {
  const [workers, gpus, over] = [words.last('workers'), words.last('gpus'), words.last('over')]
  if (over !== undefined && (workers ?? gpus) !== undefined)
    throw new UsageError(
      '--over: must be given without --workers and --gpus, which start a server of their own',
    )
  if (workers !== undefined && gpus !== undefined)
    throw new UsageError('--gpus: must be given without --workers: name a GPU twice to give it two workers')
  if (gpus !== undefined) {
    const places = gpusIn(gpus)
    return { workers: places.length, gpus: places }
  }
  if (workers !== undefined) return { workers: readCount(workers) }
  return over === undefined ? {} : { workers: 0 }
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new UsageError(`--workers: must be a whole number above 0, found "${text}"`)
}
