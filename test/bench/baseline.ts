import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from '../fixtures.ts'
import type { Summary } from './measure.ts'

/** Our PyTorch program on the same work; an error when python3 has no torch or no GPU. */
export async function baseline(work: string): Promise<Summary[]> {
  const program = join(repository, 'test/bench/baseline.py')
  const { stdout } = await promisify(execFile)('python3', [program, work], { maxBuffer: 2 ** 24 })
  const rows = stdout.split('\n').flatMap((text): Partial<Summary & { error: string }>[] => {
    return text.startsWith('{') ? [JSON.parse(text)] : []
  })
  return rows.flatMap(({ name, milliseconds, spread = 0, rounds = 0, error }) => {
    if (error) throw new Error(`baseline.py: ${name}: ${error}`)
    if (name === undefined || milliseconds === undefined) return []
    return [{ name: `PyTorch ${name}`, milliseconds, spread, rounds }]
  })
}

/** How long ours takes for each second of PyTorch, where both measure the same work. */
export function ratios(ours: readonly Summary[], others: readonly Summary[]) {
  return ours.flatMap(({ name, milliseconds }) =>
    others
      .filter(other => sameWork(name, other.name))
      .map(other => {
        const ratio = milliseconds / other.milliseconds
        return { name, against: other.name, ratio, text: `${name} / ${other.name}: ${ratio.toFixed(2)}` }
      }),
  )
}

/** Decode steps are named by prompts × completions here, by sequences there; products by what they are for here. */
function sameWork(ours: string, theirs: string): boolean {
  const [, prompts, completions] = /^decode step (\d+) x (\d+)/.exec(ours) ?? []
  if (prompts) return theirs.endsWith(` step ${Number(prompts) * Number(completions)}`)
  if (ours.startsWith('whole step, full training')) return theirs === 'PyTorch whole step'
  const [, form, size] = /(nt|nn|tn) (\d+x\d+x\d+)$/.exec(ours) ?? []
  if (size) return form === 'nt' && theirs === `PyTorch gemm ${size}`
  return theirs === `PyTorch ${ours}`
}
