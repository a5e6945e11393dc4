import type { ChildProcess } from 'node:child_process'

/** Kills a child that was started detached, and all processes that it has started. */
export function killGroup(child: ChildProcess): void {
  // Processes that the kill does not reach may hold the pipes open: do not wait for them.
  for (const stream of child.stdio) stream?.destroy()
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL') // no such group: the child has probably ended, and its exit event is on the way
  }
}
