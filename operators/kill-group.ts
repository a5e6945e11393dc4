import type { ChildProcess } from 'node:child_process'

/** Ends a child that was started detached, with all that it started, at once. */
export function killGroup(child: ChildProcess): void {
  // The pipes may be held open by processes that are not ours to wait for.
  for (const stream of child.stdio) stream?.destroy()
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL') // the group is gone; the child may be between its end and our hearing of it
  }
}
