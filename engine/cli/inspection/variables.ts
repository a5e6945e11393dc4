import { resolve } from 'node:path'
import { statedChecks } from '../../../kernels/device/checks.ts'
import { statedFamily } from '../../../kernels/device/family.ts'
import { hubAddress } from '../../../operators/hub/hub-address.ts'
import { findFfmpeg } from '../../../operators/video/find-ffmpeg.ts'
import type { Plan, PlannedNode } from '../../graph/plan.ts'
import type { Problem } from '../../graph/problem.ts'
import { CodedError, messageOf } from '../../shared/errors.ts'
import { UsageError } from '../arguments.ts'
import { repositoriesOf } from '../downloads.ts'
import { secondsIn } from '../seconds-in.ts'
import { fileAbove } from './named-paths.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * What is wrong with the variables of the environment that a run reads, and with the ffmpeg that `nodes` need: told once, before
 * any work, and without a device. `own`: variables in place of those of the process. `server`: the address of the one that the run
 * is given, which alone asks for credentials.
 */
export async function variableProblems(
  plan: Plan,
  own: Environment,
  nodes: readonly PlannedNode[],
  server?: string,
): Promise<Problem[]> {
  const environment = { ...process.env, ...own }
  const readers = [
    () => statedFamily(environment.FLOW_KERNELS),
    () => oneAdapter(environment.FLOW_ADAPTER),
    () => statedChecks(environment.FLOW_CHECKS),
    () => secondsIn('FLOW_LEASE_SECONDS', environment),
    () => secondsIn('FLOW_LEARNER_SECONDS', environment),
    () => folderOfCache(environment.FLOW_CACHE),
    () => repositoriesOf(plan).length > 0 && hubAddress(environment),
    () => nodes.some(readsOrWritesClips) && findFfmpeg(),
    () => server !== undefined && credentialsFor(server, environment),
  ]
  const problems: Problem[] = []
  for (const read of readers)
    try {
      await read()
    } catch (error) {
      problems.push(problemIn(error))
    }
  return problems
}

/** The problem that an error tells as `NAME: must be …, found …`. */
function problemIn(error: unknown): Problem {
  const remedy =
    error instanceof UsageError ? error.advice : error instanceof CodedError ? error.remedy : undefined
  const message = messageOf(error)
  const said = remedy !== undefined && message.endsWith(`: ${remedy}`)
  const text = said ? message.slice(0, -remedy.length - 2) : message
  const [, path, rule, found] = /^(\w+): (must .+?), found (.+)$/s.exec(text) ?? []
  if (path === undefined || rule === undefined || found === undefined) throw error
  return { code: 'bad-variable', path, rule, found, ...(remedy !== undefined && { remedy }) }
}

/** Whether a name or a number is that of an adapter, only a list of the adapters knows; a list of them is never one. */
function oneAdapter(text = ''): void {
  if (!/^\d{1,2}([,-]\d{1,2})+$/.test(text)) return
  throw new UsageError(
    `FLOW_ADAPTER: must name one GPU, by number, PCI id or part of a name, found "${text}"`,
    `set FLOW_ADAPTER to one of "npx flow adapters"; --gpus ${text} gives a worker to each of several`,
  )
}

/** The credentials for a server, whose packages only a run over one loads. */
async function credentialsFor(server: string, environment: Environment): Promise<void> {
  const { credentialsOf } = await import('../../over/credentials.ts')
  credentialsOf(new URL(server).protocol, environment)
}

/** Of the folder of the cache, only that it is no file: nothing may have to be written into it. */
function folderOfCache(stated = ''): void {
  const file = stated === '' ? undefined : fileAbove(stated)
  if (file === undefined) return
  const found = file === resolve(stated) ? 'a file' : `${file} above it is a file`
  throw new UsageError(
    `FLOW_CACHE: must be a folder, found "${stated}": ${found}`,
    'set FLOW_CACHE to a folder that you may write to, or unset it',
  )
}

/** Clips are opened by ffmpeg, and written by it. */
const readsOrWritesClips = ({ operator: { inputs, outputs } }: PlannedNode): boolean =>
  [...Object.values(inputs), ...Object.values(outputs)].some(port =>
    ['clip', 'pictures'].includes((typeof port === 'string' ? port : port.kind) ?? ''),
  )
