import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { startFlow } from './flow-process.ts'
import type { End } from './soak-kills.ts'

/** A process of flow, and how it ends. */
export class SoakedFlow {
  readonly pid: number
  readonly end: Promise<End>
  isOver = false
  readonly #kill: () => void

  /** What it says is added to the file `log`. */
  constructor(words: readonly string[], log: string, environment: Readonly<Record<string, string>>) {
    const from = statSync(log, { throwIfNoEntry: false })?.size ?? 0
    const { child, ended } = startFlow(words, log, [], environment)
    ended.catch(() => undefined) // how it ended is looked at below
    this.pid = child.pid ?? 0
    this.#kill = () => child.kill('SIGKILL')
    this.end = new Promise(resolve =>
      child.once('close', (code, signal) => {
        this.isOver = true
        resolve({ code, signal, said: textFrom(log, from) })
      }),
    )
  }

  kill(): void {
    this.#kill()
  }
}

function textFrom(path: string, from: number): string {
  const size = statSync(path).size - from
  const bytes = Buffer.alloc(Math.min(size, 20_000))
  const file = openSync(path, 'r')
  try {
    readSync(file, bytes, 0, bytes.length, from + size - bytes.length)
    return bytes.toString()
  } finally {
    closeSync(file)
  }
}

/** The command that `flow show` gives to go on with a run. */
export async function commandOf(run: string, log: string): Promise<string[] | undefined> {
  const from = statSync(log, { throwIfNoEntry: false })?.size ?? 0
  await startFlow(['show', run], log).ended
  const said = readFileSync(log).subarray(from).toString()
  const [, words] = /^ {2}npx --no flow (run --resume .*)$/m.exec(said) ?? []
  return words?.split(' ')
}
