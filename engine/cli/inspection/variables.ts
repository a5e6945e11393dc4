import { resolve } from 'node:path'
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
 * any work, and without a device. `own`: variables in place of those of the process.
 */
export async function variableProblems(
  plan: Plan,
  own: Environment,
  nodes: readonly PlannedNode[],
): Promise<Problem[]> {
  const environment = { ...process.env, ...own }
  const readers = [
    () => statedFamily(environment.FLOW_KERNELS),
    () => oneAdapter(environment.FLOW_ADAPTER),
    () => oneOrNot('FLOW_CHECKS', environment),
    () => secondsIn('FLOW_LEASE_SECONDS', environment),
    () => secondsIn('FLOW_LEARNER_SECONDS', environment),
    () => folderOfCache(environment.FLOW_CACHE),
    () => repositoriesOf(plan).length > 0 && hubAddress(environment),
    () => nodes.some(readsOrWritesClips) && findFfmpeg(),
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

function oneOrNot(name: string, { [name]: text = '' }: Environment): void {
  if (text === '' || text === '1') return
  throw new UsageError(`${name}: must be 1 or not set, found "${text}"`, `set ${name}=1, or unset it`)
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
