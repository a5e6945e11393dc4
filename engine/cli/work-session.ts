// `flow work`: waits for a run at a server, works on one of its parts, and goes on when the home part begins anew.
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadGraph } from '../graph/check.ts'
import type { Plan } from '../graph/plan.ts'
import { pluginsOf } from '../graph/plugins.ts'
import { type CutPart, cutParts } from '../over/cut.ts'
import { announceMs, announcementOf, announcements } from '../over/find-run.ts'
import { type Announcement, hostText, ownVersion } from '../over/names.ts'
import { openServer, type Server } from '../over/nats.ts'
import { Worker } from '../over/worker.ts'
import { startRun } from '../run/run.ts'
import type { Run } from '../run/summary.ts'
import { CodedError, messageOf } from '../shared/errors.ts'
import { makeFolder } from '../shared/files.ts'
import { inside } from '../shared/inside.ts'
import { readJsonObject } from '../shared/json.ts'
import { UsageError } from './arguments.ts'
import { refuseVariables } from './inspection/look-first.ts'
import { movedPlugins, type StoredPlugin, withoutReplaced } from './moved-plugins.ts'
import { digestsOf, formsOf } from './over-run.ts'
import { modulePath } from './plug.ts'
import type { World } from './verb.ts'

interface WorkWords {
  readonly address: string
  readonly part: string | undefined
  readonly name: string | undefined
  readonly out: string | undefined
  readonly plugins: readonly string[]
}

const lookMs = 500
/** A home part that did not announce itself for so long is gone, until it does again. */
const silentMs = 15 * announceMs
const silentOr = { anew: 'began anew', silent: `was silent for ${silentMs / 1000} s` }

/** Works until the run has ended; returns the exit code. */
export async function workAt(words: WorkWords, world: World): Promise<number> {
  const controller = new AbortController()
  let running: Run | undefined
  const ofServer = new AbortController()
  const interrupted = () => {
    // what is worked on gets its end and its reply; without it, or the second time, nobody waits for the server
    if (!running || controller.signal.aborted) ofServer.abort()
    if (controller.signal.aborted) running?.abort()
    controller.abort()
    running?.stop()
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, interrupted)
  // a worker that the home part started ends with it
  if (process.connected) process.on('disconnect', () => process.exit(1))
  let server: Server | undefined
  try {
    server = await openServer(words.address, {
      signal: ofServer.signal,
      log: world.complain,
      environment: world.environment,
    })
    for (let left = ''; ; ) {
      const found = await findRun(server, { ...words, left }, controller.signal, world)
      if (found === 'ended') {
        world.print(`run ${left} has ended`)
        return 0
      }
      if (!found) return 130
      const { announcement, part } = found
      const session = await openSession(server, announcement, part, words, world)
      running = startRun(session.worker.plan, {
        seed: announcement.seed,
        directory: session.folder,
        link: session.worker,
        facts: { part },
      })
      const watch = watchRun(server, announcement, session.worker, running)
      const summary = await running.done
      await session.worker.close(summary.error)
      const after = await watch.stop()
      running = undefined
      if (controller.signal.aborted) return 130
      if (after === 'ended') {
        world.print(`${session.folder}: the run has ended`)
        return 0
      }
      if (after === 'running') {
        world.complain(summary.error?.message ?? 'the worker ended before its run')
        return 1
      }
      world.complain(`the home part of run ${announcement.run} ${silentOr[after]}`)
      left = announcement.run
    }
  } catch (error) {
    if (ofServer.signal.aborted) return 130
    throw error
  } finally {
    ofServer.abort()
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupted)
    await server?.close()
  }
}

/** Waits for a run that has the part, or until the one that the worker had left has ended. */
async function findRun(
  server: Server,
  { part, left }: WorkWords & { left: string },
  signal: AbortSignal,
  { complain }: World,
) {
  let told = false
  const first = new Map<string, number>()
  while (!signal.aborted) {
    for (const { announcement, revision, ageMs } of await announcements(server)) {
      if (announcement.status === 'ended' && announcement.run === left) return 'ended'
      if (announcement.status !== 'running') continue
      // the home part of an old announcement may have been killed: it is there when it announces itself again
      const seen = first.get(announcement.run) ?? revision
      first.set(announcement.run, seen)
      if (Math.abs(ageMs) > 3 * announceMs && seen === revision) continue
      const name = part ?? (announcement.names.length === 1 ? announcement.names[0] : undefined)
      if (name !== undefined && announcement.names.includes(name)) return { announcement, part: name }
      if (part === undefined)
        throw new UsageError(
          `--part: must name one of the parts of run ${announcement.run}: ${announcement.names.join(', ')}`,
        )
    }
    if (!told) complain('waiting for a run')
    told = true
    await delay(lookMs, undefined, { signal }).catch(() => {})
  }
  return undefined
}

async function openSession(
  server: Server,
  announcement: Announcement,
  partName: string,
  words: WorkWords,
  world: World,
) {
  const { run, epoch, version, host, directory } = announcement
  if (version !== ownVersion)
    throw new CodedError(
      'other-version',
      `run ${run} is of flow ${version}, this worker is of flow ${ownVersion}`,
      {
        remedy: 'install the same version on both machines',
      },
    )
  const plan = planOf(announcement, words, world)
  const part = cutParts(plan, formsOf(world.registry)).find(({ name }) => name === partName)
  if (!part) throw new CodedError('other-version', `run ${run}: its graph has no part "${partName}" here`)
  const nodes = plan.nodes.filter(node => part.nodes.has(node.name))
  await refuseVariables(plan, world.environment, nodes)
  await world.prepare(plan)
  await refuseOtherModels(plan, part, announcement)
  const name = words.name ?? `${hostname()}-${process.pid}`
  const folder = inside(words.out ?? inside('runs', `work-${name}`), epoch)
  makeFolder(folder)
  const sees = host === hostText() && isFolderOf(run, directory)
  const worker = new Worker({
    server,
    announcement,
    part,
    name,
    folder: join(folder, 'versions'),
    seat: world.environment.FLOW_SEAT ? `${world.environment.FLOW_SEAT}: ` : '',
    plan,
    ...(sees && { filesDirectory: directory }),
  })
  return { worker, folder }
}

/** Whether a folder is that of the run: nothing else that the server names is written to. */
function isFolderOf(run: string, directory: string): boolean {
  const path = join(directory, 'over.json')
  return existsSync(path) && readJsonObject(path).run === run
}

/** The graph of the run, from the texts that it announces: no file of this machine takes their place. */
function planOf(
  { graph, sources, set, parts, plugins, run }: Announcement,
  words: WorkWords,
  { registry, environment }: World,
): Plan {
  const read = (file: string) => {
    const text = Object.hasOwn(sources, file) ? sources[file] : undefined
    if (text === undefined) throw new Error(`${file}: run ${run} does not announce it`)
    return text
  }
  const folder = process.cwd()
  const named = [...plugins.map(name => ({ name, folder })), ...pluginsOf(graph, read)]
  const stated = words.plugins.map(name => ({ name, folder }))
  const allowed = stated.flatMap(plugin => [plugin.name, modulePath(plugin)])
  const isAllowed = (plugin: StoredPlugin) =>
    [plugin.name, modulePath(plugin)].some(one => allowed.includes(one))
  const refused = withoutReplaced(named, movedPlugins(named, stated))
    .filter(plugin => !isAllowed(plugin))
    .map(({ name }) => name)
  if (refused.length > 0)
    throw new CodedError(
      'plugin-refused',
      `run ${run} uses the plugin ${refused.join(', ')}, which this worker was not given`,
      {
        remedy: `start it with --plugin ${refused.join(' --plugin ')}, or with the place of that module on this machine, if you trust it`,
      },
    )
  return loadGraph(graph, registry, { set, environment, read, parts })
}

async function refuseOtherModels(plan: Plan, part: CutPart, { models, run }: Announcement): Promise<void> {
  const own = await digestsOf(plan, part.resources)
  for (const [name, digest] of Object.entries(own)) {
    if (models[name] === digest) continue
    throw new CodedError(
      'other-model',
      `resource "${name}": its files differ from those of the home part of run ${run}`,
      {
        remedy: 'copy the model of the home part to the same path on this machine',
      },
    )
  }
}

/** Follows what the run says of itself, and ends the worker when the run has ended, has begun anew or is silent. */
function watchRun(server: Server, announcement: Announcement, worker: Worker, running: Run) {
  const stopped = new AbortController()
  let after: 'running' | 'ended' | 'anew' | 'silent' = 'running'
  let [last, looks] = [0, 0]
  const look = async () => {
    while (!stopped.signal.aborted && after === 'running') {
      const now = await announcementOf(server, announcement.run)
      // only looks that the server answered count
      looks = now && now.revision !== last ? 0 : looks + 1
      last = now?.revision ?? last
      if (now?.announcement.isStopping && now.announcement.epoch === announcement.epoch)
        worker.isStopping = true
      if (now?.announcement.status === 'ended') after = 'ended'
      else if (now && now.announcement.epoch !== announcement.epoch) after = 'anew'
      else if (looks * lookMs >= silentMs) after = 'silent'
      if (after !== 'running') {
        worker.lose()
        // what it holds now, nobody waits for
        running.abort()
        return
      }
      await delay(lookMs, undefined, { signal: stopped.signal }).catch(() => {})
    }
  }
  const looked = look().catch(error => running.abort(new CodedError('server-refused', messageOf(error))))
  return {
    stop: async () => {
      // an error of an item ends the whole run: that is no error of this worker
      const until = performance.now() + 3000
      while (after === 'running' && performance.now() < until) await delay(100)
      stopped.abort()
      await looked
      return after
    },
  }
}
