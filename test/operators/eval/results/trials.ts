import { chmodSync, cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startEvaluation } from '../evaluate.ts'

/** Three questions about a clip each. */
export const settings = ['limit=3', 'nodes.evaluation/watch.config.sheetWidth=0']

/** A copy of a fixture that may be changed. */
export function copyOf(from: string, to: string): string {
  cpSync(from, to, { recursive: true, preserveTimestamps: true })
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' })) chmodSync(join(to, name), 0o755)
  return to
}

/** The committed results of a folder: one line each. An answer that was asked for has cost its clip's decoding. */
export const commits = (out: string): string[] =>
  existsSync(join(out, 'timings.jsonl'))
    ? readFileSync(join(out, 'timings.jsonl'), 'utf8').trim().split('\n')
    : []

/** Evaluates into `out`, compares with a new folder, and tells what the run asked, and what it only scored. */
async function evaluateAgain(t: Test, out: string, set: readonly string[]): Promise<string> {
  const results = (folder: string) => readFileSync(join(folder, 'results.jsonl'), 'utf8')
  const before = commits(out).length
  await startEvaluation('mvbench', out, set).done
  const lines = commits(out).slice(before)
  const asked = lines.filter(line => line.includes('"decode"')).length
  const fresh = join(t.testdir(), 'fresh')
  await startEvaluation('mvbench', fresh, set).done
  t.equal(results(out), results(fresh), 'nothing stale')
  return `${asked} asked, ${lines.length - asked} scored`
}

export type Trial = readonly [what: string, expected: string, set: readonly string[], change?: () => void]

export async function tryAll(
  t: Test,
  out: string,
  set: readonly string[],
  trials: readonly Trial[],
): Promise<void> {
  for (const [what, expected, more, change] of trials)
    await t.test(what, async t => {
      change?.()
      t.equal(await evaluateAgain(t, out, [...set, ...more]), expected)
    })
}
