import { readdir } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { readJsonFile } from '../files/json-file.ts'
import { type ProcessorUse, processorJson } from './processor.ts'

/**
 * What a folder says of how the frames of a clip are prepared, and where. As transformers 5 looks for it: in
 * `processor_config.json` at `video_processor`, in `video_preprocessor_config.json`, or, as older versions stored it for pictures
 * and clips alike, in `preprocessor_config.json`. SigLIP has no class for clips; InternVL's own code has constants in it.
 */
export async function readProcessorFile(
  folder: string,
  use: ProcessorUse,
): Promise<{ path: string; value: unknown }> {
  const { kind } = use
  if (kind === 'internvl-chat') return { path: folder, value: processorJson(use) }
  const names = kind === 'siglip' ? [] : await readdir(folder)
  if (names.includes('processor_config.json')) {
    const path = join(folder, 'processor_config.json')
    const whole = await readJsonFile(path)
    if (isObject(whole) && isObject(whole.video_processor))
      return { path: `${path}: video_processor`, value: whole.video_processor }
  }
  const path = names.includes('video_preprocessor_config.json')
    ? join(folder, 'video_preprocessor_config.json')
    : join(folder, 'preprocessor_config.json')
  return { path, value: await readJsonFile(path) }
}
