import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Digest of the weights of a training's last checkpoint, and what each update measured but its times. */
export function outcomeOf(run: string) {
  const checkpoints = join(run, 'checkpoints')
  const last =
    readdirSync(checkpoints)
      .filter(name => /^\d+$/.test(name))
      .sort()
      .at(-1) ?? ''
  const weights = readFileSync(join(checkpoints, last, 'policy/model.safetensors'))
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n')
  const metrics = lines.map(line => {
    const entry: Record<string, unknown> = JSON.parse(line)
    return Object.fromEntries(Object.entries(entry).filter(([name]) => !/seconds$|per_second$/.test(name)))
  })
  return { weights: createHash('sha256').update(weights).digest('hex'), metrics }
}
