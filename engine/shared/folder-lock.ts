// One process a folder. A lock is a file with its holder's host, process and start time, touched every few seconds. A holder on
// this machine is gone when its process is; a holder elsewhere (NFS) is gone when its lock was not touched for a minute, by the
// file server's own clock. Creating a file that must not exist and renaming are atomic on NFS too.
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { CodedError, codeOf } from './errors.ts'

const secondsBetweenBeats = 5
const secondsUntilGone = 60

export interface FolderLock {
  /** Touches the lock file, or tells that it was lost; done by itself every few seconds too. */
  check(): void
  /** Gives the folder back; a lock that somebody else took over meanwhile stays. */
  release(): void
}

/** What a lock file says of its holder. */
interface Holder {
  host: string
  pid: number
  /** Machine since its start and process namespace: process numbers mean the same only within one. */
  system: string
  /** When the process started, in clock ticks since the machine started: a number may be used again. */
  processStart: string
  since: string
  token: string
}

/**
 * Takes a folder, or throws `folder-in-use` with its holder. `onLost` hears once when the lock file vanishes or another
 * process takes it over: what the caller writes from then on is not its own folder any more.
 */
export function lockFolder(folder: string, name: string, onLost: (error: Error) => void): FolderLock {
  const path = join(folder, name)
  const holder = thisProcess()
  const line = `${JSON.stringify(holder)}\n`
  for (let tries = 1; !createLock(path, line); tries++) {
    const found = readHolder(path)
    if (found === 'none') continue
    if (tries > 3 || isThere(path, found)) throw inUse(folder, path, found)
    removeStale(path, found)
  }
  let lost = false
  const check = (): void => {
    if (lost || touch(path, holder.token, line)) return
    lost = true
    const rule = `must keep its ${name} while a process works in it, found it gone or replaced`
    onLost(new CodedError('folder-lost', `${folder}: ${rule}`))
  }
  const beat = setInterval(check, secondsBetweenBeats * 1000)
  beat.unref()
  return {
    check,
    release() {
      clearInterval(beat)
      const found = readHolder(path)
      if (typeof found === 'object' && found.token === holder.token) rmSync(path, { force: true })
    },
  }
}

function thisProcess(): Holder {
  return {
    host: hostname(),
    pid: process.pid,
    system: systemOf(),
    processStart: startOf(process.pid),
    since: new Date().toISOString(),
    token: randomUUID(),
  }
}

/** False when the file is there already. */
function createLock(path: string, line: string): boolean {
  let handle: number
  try {
    handle = openSync(path, 'wx')
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    writeSync(handle, line)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  return true
}

/** 'torn' for a lock whose writer was stopped before it had written its line. */
function readHolder(path: string): Holder | 'none' | 'torn' {
  try {
    const holder: Partial<Holder> = JSON.parse(readFileSync(path, 'utf8'))
    return typeof holder.token === 'string' ? (holder as Holder) : 'torn' // written whole by `createLock`
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'none' : 'torn'
  }
}

/** Whether nobody works in a folder: it has no lock, or the process on this machine that holds it has ended. */
export function isLeft(folder: string, name: string): boolean {
  const holder = readHolder(join(folder, name))
  if (typeof holder === 'string') return holder === 'none'
  return isOfThisMachine(holder) && !isRunning(holder)
}

const isOfThisMachine = ({ system, host }: Holder): boolean => system === systemOf() && host === hostname()

const isRunning = ({ pid, processStart }: Holder): boolean => isAlive(pid) && startOf(pid) === processStart

function isThere(path: string, holder: Holder | 'torn'): boolean {
  if (holder !== 'torn' && isOfThisMachine(holder)) return isRunning(holder)
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return touched !== undefined && serverTime(path) - touched < secondsUntilGone * 1000
}

/** The file server's time in milliseconds: clocks of machines differ. */
function serverTime(path: string): number {
  const probe = `${path}.${randomUUID()}`
  closeSync(openSync(probe, 'wx'))
  const { mtimeMs } = statSync(probe)
  rmSync(probe, { force: true })
  return mtimeMs
}

/** Moves a stale lock away. Where another process was faster, its new lock is put back. */
function removeStale(path: string, stale: Holder | 'torn'): void {
  const away = `${path}.${randomUUID()}`
  try {
    renameSync(path, away)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const moved = readHolder(away)
  if (typeof moved === 'object' && (stale === 'torn' || moved.token !== stale.token)) {
    try {
      linkSync(away, path)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
  }
  rmSync(away, { force: true })
}

/** Writes the line again, which sets the file's time by the server's clock; false when the file is another's or gone. */
function touch(path: string, token: string, line: string): boolean {
  const found = readHolder(path)
  if (typeof found === 'string' || found.token !== token) return false
  try {
    const handle = openSync(path, 'r+')
    try {
      writeSync(handle, line, 0)
    } finally {
      closeSync(handle)
    }
    return true
  } catch {
    return false
  }
}

function inUse(folder: string, path: string, holder: Holder | 'torn'): CodedError {
  const who =
    holder === 'torn' ? 'another process' : `process ${holder.pid} on ${holder.host}, since ${holder.since}`
  return new CodedError(
    'folder-in-use',
    `${folder}: must be worked on by one process, found ${who} (${path}); stop it, wait for it, or choose another folder`,
  )
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** '' where the system has no /proc: then a process number alone decides. */
const startOf = (pid: number): string =>
  readOr('', () => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field is the program's name in brackets, which may hold spaces; the 22nd is the start time
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  })

const systemOf = (): string =>
  readOr(
    '',
    () =>
      `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`,
  )

function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
