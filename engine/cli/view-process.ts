import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { packageFolder } from '../shared/package-folder.ts'
import { type Arguments, UsageError } from './arguments.ts'
import { viewFlags } from './verb.ts'

/**
 * With `--view` serves the page of a run from a process of its own: whatever the page does, the run neither waits nor ends.
 * Returns what closes it.
 */
export function startView(directory: string, words: Arguments): () => void {
  const flags = Object.keys(viewFlags).flatMap(flag => words.all(flag).map(value => [flag, value] as const))
  if (words.last('view') === undefined) {
    const [vain] = flags
    if (vain) throw new UsageError(`--${vain[0]}: must be given with --view`)
    return () => {}
  }
  const stated = flags.map(([flag, value]) => (value === '' ? `--${flag}` : `--${flag}=${value}`))
  const main = join(packageFolder, 'dist/engine/cli/main.js')
  const child = spawn(process.execPath, [main, 'view', directory, ...stated], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  child.on('error', () => {}) // the run goes on without its page
  child.unref()
  child.channel?.unref()
  return () => {
    if (child.connected) child.disconnect()
  }
}
