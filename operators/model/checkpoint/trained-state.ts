import type { Durable } from '../../../engine/operator.ts'
import { join } from '../../../engine/platform/paths.ts'
import { type Asked, writeAsked } from '../asked.ts'
import { readNumber, writeNumber } from '../files/state-file.ts'
import { restoreAdapter, saveAdapter } from './adapter-files.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { LoadedModel } from './load-model.ts'
import { restoreModel, saveModel } from './save-model.ts'
import { readTrained, writeTrained } from './trained-copy.ts'

/**
 * Saves a model in a run's checkpoints and restores it. A trained adapter becomes `adapter/`, a PEFT folder; the model's
 * own weights are written only if some of them are trained. `asked` is left beside each of them.
 */
export function trainedState(
  checkpoint: Checkpoint,
  model: LoadedModel,
  train: readonly string[],
  { asked, signal }: { asked: Asked; signal: AbortSignal },
): Durable {
  const hasParts = train.some(part => part !== 'adapter')
  const copy: Durable = {
    save: folder => writeTrained(model, folder, signal),
    restore: folder => readTrained(model, folder),
  }
  if (!train.includes('adapter')) {
    return {
      copy,
      async save(folder) {
        await saveModel(checkpoint, model, folder, signal)
        writeAsked(folder, asked)
      },
      restore: folder => restoreModel(model, folder),
    }
  }
  return {
    copy,
    async save(folder) {
      if (hasParts) await saveModel(checkpoint, model, folder, signal)
      await saveAdapter(model, join(folder, adapterFolder), signal)
      writeAsked(join(folder, adapterFolder), asked)
      await writeNumber(join(folder, stateName), 'version', model.version)
    },
    async restore(folder) {
      if (hasParts) await restoreModel(model, folder)
      await restoreAdapter(model, join(folder, adapterFolder))
      model.version = await readNumber(join(folder, stateName), 'version')
    },
  }
}

const adapterFolder = 'adapter'
const stateName = 'state.json'
