import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import t from 'tap'
import { command } from '../../../../engine/cli/command.ts'
import { operators, resources } from '../../../../operators/index.ts'
import { repository } from '../../../fixtures.ts'

t.setTimeout(800_000)

/** The program as a user has it installed: `npx flow` finds it from the working directory. */
const home = mkdtempSync(join(tmpdir(), 'flow-help-'))
t.teardown(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }))
const main = import.meta.url.endsWith('.ts')
  ? `--import '${import.meta.resolve('tsx')}' '${repository}/engine/cli/main.ts'`
  : `'${repository}/dist/engine/cli/main.js'`
const bin = join(home, 'node_modules/.bin')
mkdirSync(bin, { recursive: true })
writeFileSync(join(bin, 'flow'), `#!/bin/sh\nexec '${process.execPath}' ${main} "$@"\n`)
chmodSync(join(bin, 'flow'), 0o755)

/** Pastes a text into a shell in the folder; what it left in the background ends with it. */
export async function paste(text: string) {
  const { NODE_OPTIONS: _, ...environment } = process.env
  const shell = spawn('bash', ['-c', text], {
    cwd: home,
    env: { ...environment, PATH: `${bin}:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const ended = once(shell, 'exit')
  const texts = Promise.all([shell.stdout, shell.stderr].map(readAll))
  const [code] = await ended
  try {
    process.kill(-Number(shell.pid), 'SIGKILL')
  } catch {
    // nothing was left in the background
  }
  const [out, complaints] = await texts
  return { code, out, complaints }
}

async function readAll(stream: Readable): Promise<string> {
  let all = ''
  for await (const text of stream.setEncoding('utf8')) all += text
  return all
}

async function helpOf(words: readonly string[]): Promise<string> {
  let out = ''
  const print = (text: string) => {
    out += `${text}\n`
  }
  const screen = { write: print }
  const world = { registry: { operators, resources }, environment: {}, screen, print, complain: print }
  await command(words, { ...world, prepare: async () => {} })
  return out
}

export const isScreen = (text: string) =>
  text.split('\n').length <= 25 && text.split('\n').every(line => line.length <= 100)

/** What the example of each verb shows. */
const shown: Readonly<Record<string, RegExp>> = {
  run: /: completed, 2 steps, \d/,
  check: /grpo\.json: ok, \d+ nodes/,
  explain: /GPU memory at most[\s\S]*activations.*, kept[\s\S]*host memory/,
  ops: /^stream\.batch: /,
  graph: /^$/,
  merge: /complete: 4 of 4 questions; unique/,
  compare: /25\.0 % → 100\.0 %/,
  table: /\| constant \| 25\.0 [\s\S]*\| oracle \| 100\.0 /,
  export: /submission\/answers\.json\nsubmission\/result\.json/,
  replay: /repeating "1:24"[\s\S]* records: equal/,
  diff: /^~ node /m,
  new: /test it: node --import \S+ --test my-operators\/my-shout\.test\.mjs/,
  ls: /^runs\/two-steps +completed +2 /m,
  show: /status +completed, 2 of 2 updates[\s\S]*\n {2}reward/,
  simulate: /^512 [\s\S]*holds it back|more workers still help|several limits/m,
  adapters: /^flow takes \d+: /m,
  schema: /^wrote my-graph\.schema\.json/,
  'set-up': /this machine is ready/,
  work: /: the run has ended$/m,
  top: /^update +(working|waiting|blocked|ended) /m,
  tap: /"key":"[^"]+".*"completions"/,
  help: /^flow run /,
}

/** Tries the help and the example of each of these verbs, in order: later ones may look at runs of earlier ones. */
export function tryExamples(names: readonly string[]): void {
  for (const name of names) {
    t.test(`flow ${name} --help is one screen, and its example works when pasted`, async t => {
      for (const folder of [repository, home]) {
        process.chdir(folder)
        // as long as it is where the package is installed
        const help = (await helpOf([name, '--help'])).replaceAll(
          `${repository}/graphs`,
          'node_modules/@flow-graphs/flow/graphs',
        )
        t.ok(isScreen(help), `24 lines of 100 columns in ${folder}`)
      }
      const [, example = ''] = (await helpOf([name, '--help'])).split('\nExample:\n')
      // It serves a page until somebody ends it: test/engine/view tries it.
      if (name === 'view') return
      const { code, out, complaints } = await paste(example)
      t.equal(code, 0, complaints)
      t.match(out, shown[name], complaints)
    })
  }
}
