import type { Context } from '../engine/operator.ts'
import { readFile, writeFile } from '../engine/platform/files.ts'
import { join } from '../engine/platform/paths.ts'

/** A number, initially 0, that is saved in the run's checkpoints. A node may have one. */
export function keptNumber(context: Context): { value: number } {
  const kept = { value: 0 }
  context.checkpoint({
    save: folder => writeFile(join(folder, 'value'), String(kept.value)),
    restore: async folder => {
      kept.value = Number(await readFile(join(folder, 'value'), 'utf8'))
    },
  })
  return kept
}
