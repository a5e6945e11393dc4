import { existsSync, readdirSync, statSync } from '../../../engine/platform/files.ts'
import { basename, dirname, join } from '../../../engine/platform/paths.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'

/**
 * Refuses a path that is something else than a checkpoint folder, where it shows what is meant: a file of weights, an adapter, a run
 * or a folder that holds checkpoints.
 */
export function refuseOther(path: string): void {
  const refuse = (found: string, remedy: string): never => {
    const message = `${path}: must be a checkpoint folder, found ${found}: ${remedy}`
    throw new CheckpointError({ code: 'no-checkpoint', message })
  }
  const state = statSync(path, { throwIfNoEntry: false })
  if (!state || existsSync(join(path, 'config.json'))) return
  if (!state.isDirectory()) {
    const isWhole = existsSync(join(dirname(path), 'config.json'))
    if (isWhole) refuse('a file in one', `write ${dirname(path)}`)
    else
      refuse(`the file ${basename(path)}`, 'name a folder with config.json, *.safetensors and tokenizer.json')
  }
  if (existsSync(join(path, 'adapter_config.json')))
    refuse(
      'an adapter (LoRA)',
      `name the model that it belongs to, and this one as "adapter", e.g. --set resources.policy.config.adapter=${path}`,
    )
  const inside = [path, join(path, 'checkpoints/last')].flatMap(checkpointsIn)[0]
  if (inside !== undefined) refuse('a folder around one', `write ${inside}`)
}

function checkpointsIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const found = readdirSync(folder)
    .slice(0, 1000)
    .map(name => join(folder, name))
  return found.filter(each => existsSync(join(each, 'config.json'))).sort()
}
