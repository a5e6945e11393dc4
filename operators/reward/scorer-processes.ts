// Everything that a scorer starts ends with its answer or with flow, however flow ends. Three means, each for what the one
// before does not reach: a process group of its own; a mark in the environment, which processes that leave the group still
// have (Linux); and a watcher, a shell that outlives flow and does the same when the pipe to it ends. What cannot be reached:
// a process that leaves the group and clears its environment, and, where there is no /proc, any that leaves the group.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

export interface Scorer {
  readonly child: ChildProcessWithoutNullStreams
  /** Kills all that is left of it. */
  end(): void
  /** Stops reading what it says: a process that cannot be killed may hold its pipes. */
  close(): void
}

const hasGroups = process.platform !== 'win32'
const variable = 'FLOW_SCORER'
const ownMark = randomUUID()
let scorers = 0
let watcher: ChildProcess | undefined

/** Starts a program with all that `Scorer.end` needs. Ctrl-C in a terminal reaches only flow. */
export function startScorer(program: string, args: readonly string[]): Scorer {
  const mark = `${variable}=${ownMark}.${++scorers}.`
  const env = { ...process.env, [variable]: mark.slice(variable.length + 1) }
  // it watches before there is anything to watch
  if (hasGroups) watcher ??= startWatcher()
  const child = spawn(program, args, { stdio: 'pipe', detached: hasGroups, env })
  const { pid } = child
  const tell = (sign: '+' | '-') => pid !== undefined && watcher?.stdin?.write(`${sign} ${pid}\n`)
  tell('+')
  child.on('exit', () => tell('-'))
  return {
    child,
    end() {
      if (!hasGroups) child.kill('SIGKILL')
      else if (pid !== undefined) kill(-pid)
      killMarked(mark)
    },
    close() {
      for (const stream of child.stdio) stream?.destroy()
    },
  }
}

/** Kills a process, or with a negative number its group. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended
  }
}

/** Kills all processes with a mark in their environment, until a look finds none: one of them may be starting another. */
function killMarked(mark: string): void {
  for (let looks = 0; looks < 3; looks++) {
    const pids = processes().filter(pid => environmentOf(pid).includes(mark))
    if (pids.length === 0) return
    for (const pid of pids) kill(pid)
  }
}

function processes(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}

/** '' for a process of another user, and for one that has ended. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

/** A shell in a session of its own, which a signal to flow's group does not reach. */
function startWatcher(): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', watching, 'flow-watcher', `${variable}=${ownMark}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  const forget = () => {
    watcher = undefined
  }
  shell.on('error', forget).on('exit', forget)
  shell.stdin.on('error', forget)
  shell.unref()
  // the pipe is a socket, which would keep flow alive
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref()
  return shell
}

/** Keeps the list of groups until its input ends with flow. */
const watching = `
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
grep -l "$1" /proc/[0-9]*/environ | while IFS=/ read -r _ _ pid _; do kill -s KILL "$pid"; done
`
