import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Status } from '../../engine/run/record/status.ts'

/** What a process holds at a moment. */
export interface Held {
  residentBytes: number
  /** Open files, pipes and sockets, without the modules that Node reads when a process starts. */
  handles: number
  /** Bytes of all live GPU buffers, as the run last told; undefined before it tells. */
  gpuBytes: number | undefined
  /** Bytes that JavaScript kept at the last forced collection, as the run last told. */
  keptBytes: number | undefined
}

/** What a process that runs in the folder `directory` holds; undefined once it has ended. */
export function heldBy(pid: number, directory: string): Held | undefined {
  const status = textOf(`/proc/${pid}/status`)
  const resident = /VmRSS:\s*(\d+) kB/.exec(status)?.[1]
  if (resident === undefined) return undefined
  const handles = filesOf(pid).filter(path => !/\.[jt]s$/.test(path)).length
  const gauges = gaugesOf(pid, directory)
  const told = { gpuBytes: gauges['gpu bytes'], keptBytes: gauges['kept bytes'] }
  return { residentBytes: Number(resident) * 1024, handles, ...told }
}

function gaugesOf(pid: number, directory: string): Partial<Status['gauges']> {
  const path = join(directory, 'status.json')
  if (!existsSync(path)) return {}
  const status = JSON.parse(readFileSync(path, 'utf8')) as Status // replaced as a whole by the engine
  return status.process === pid ? status.gauges : {}
}

/** The processes that a process has started and whose program's name begins so. */
export const childrenOf = (pid: number, name: string): number[] =>
  namesIn(`/proc/${pid}/task`)
    .flatMap(thread => textOf(`/proc/${pid}/task/${thread}/children`).trim().split(' '))
    .filter(child => child !== '' && textOf(`/proc/${child}/comm`).startsWith(name))
    .map(Number)

/** The processes with a text in their environment, and what they are. */
export const processesWith = (mark: string): string[] =>
  namesIn('/proc')
    .filter(name => /^\d+$/.test(name) && textOf(`/proc/${name}/environ`).includes(mark))
    .map(pid => `${pid} ${textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`)

/** What the open files of a process are, without those that it closes meanwhile. */
export const filesOf = (pid: number): string[] =>
  namesIn(`/proc/${pid}/fd`).flatMap(name => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)]
    } catch {
      return []
    }
  })

/** '' for a process that has ended meanwhile, and for one of another user. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
