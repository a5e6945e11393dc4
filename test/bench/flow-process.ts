import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { repository } from '../fixtures.ts'

/** `flow` in a process of its own. */
export interface FlowProcess {
  readonly child: ChildProcess
  /** Rejects with the end of what it said when it fails; a kill of ours is no failure. */
  readonly ended: Promise<void>
}

/**
 * Starts `flow` from the sources or from dist, as this file is run; what it says is added to the file `log`. `under` is a
 * command that runs it, e.g. strace; `more` is added to its environment.
 */
export function startFlow(
  words: readonly string[],
  log: string,
  under: readonly string[] = [],
  more: Readonly<Record<string, string>> = {},
): FlowProcess {
  const main = `engine/cli/main${extname(fileURLToPath(import.meta.url))}`
  const path = fileURLToPath(new URL(`../../${main}`, import.meta.url))
  const out = openSync(log, 'a')
  const [program = '', ...given] = [...under, process.execPath, ...process.execArgv, path, ...words]
  const child = spawn(program, given, {
    cwd: repository,
    stdio: ['ignore', out, out],
    env: { ...process.env, ...more },
  })
  closeSync(out)
  const ended = new Promise<void>((done, fail) => {
    child.once('error', fail)
    child.once('exit', code => {
      if (code === 0 || child.killed) return done()
      const tail = readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n')
      fail(new Error(`flow ${words[0]}: exit code ${code}; ${log} ends with\n${tail}`))
    })
  })
  return { child, ended }
}
