import { existsSync, readdirSync, readFileSync, statSync } from '../../../engine/platform/files.ts'
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
  const adapter = entriesOf(path).find(each => existsSync(join(each, 'adapter_config.json')))
  if (adapter !== undefined)
    refuse(
      `a folder around an adapter (LoRA), ${adapter}`,
      `add it to its model: npx --no flow run flow:merge.json --set model=${baseOf(adapter)} --set adapter=${adapter} --set folder=MERGED; then name MERGED`,
    )
  const [inside] = [path, join(path, 'checkpoints/last')].flatMap(checkpointsIn)
  if (inside !== undefined) refuse('a folder around one', `write ${inside}`)
}

/** The model that an adapter's configuration names. */
function baseOf(adapter: string): string {
  try {
    const { base_model_name_or_path: base } = JSON.parse(
      readFileSync(join(adapter, 'adapter_config.json'), 'utf8'),
    )
    return typeof base === 'string' && base !== '' ? base : 'MODEL'
  } catch {
    return 'MODEL' // who opens the adapter says what is wrong with the file
  }
}

function checkpointsIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return entriesOf(folder)
    .filter(each => existsSync(join(each, 'config.json')))
    .sort()
}

const entriesOf = (folder: string): string[] =>
  readdirSync(folder)
    .slice(0, 1000)
    .map(name => join(folder, name))
