import type { Context } from '../../engine/operator.ts'
import { writeFile } from '../../engine/platform/files.ts'
import { join } from '../../engine/platform/paths.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { readJsonFile } from '../model/files/json-file.ts'
import { readNumber, writeNumber } from '../model/files/state-file.ts'
import { type AlarmOptions, type AlarmState, nothingCounted, watches } from './alarms.ts'
import type { EntropyOptions, EntropyState } from './entropy.ts'
import { type ReferenceOptions, restoreReference, saveReference } from './moving-reference.ts'

interface StateOptions extends EntropyOptions, ReferenceOptions, AlarmOptions {
  model: string
  reference: string
  beta: number
}

export interface UpdateState {
  entropy: EntropyState
  alarms: AlarmState
}

/** State from update to update besides the weights; saved in the run's checkpoints if the options use any. */
export function updateState(options: StateOptions, context: Context): UpdateState {
  const { entropyTarget, entropyCoefficient, referenceEvery, beta } = options
  const moves = beta > 0 && referenceEvery > 0
  // Larger than any entropy, so the first update is above the target.
  const state: UpdateState = {
    entropy: { coefficient: entropyCoefficient, entropy: Number.MAX_VALUE },
    alarms: { ...nothingCounted },
  }
  const models = () => {
    return [
      context.resource<LoadedModel>(options.model),
      context.resource<LoadedModel>(options.reference),
    ] as const
  }
  if (moves || entropyTarget > 0 || watches(options))
    context.checkpoint({
      async save(folder) {
        if (moves) await saveReference(...models(), join(folder, referenceName))
        await writeNumber(join(folder, 'coefficient.json'), 'coefficient', state.entropy.coefficient)
        await writeNumber(join(folder, 'entropy.json'), 'entropy', state.entropy.entropy)
        await writeFile(join(folder, alarmsName), `${JSON.stringify(state.alarms)}\n`)
      },
      async restore(folder) {
        if (moves) await restoreReference(...models(), join(folder, referenceName))
        const coefficient = await readNumber(join(folder, 'coefficient.json'), 'coefficient')
        state.entropy = { coefficient, entropy: await readNumber(join(folder, 'entropy.json'), 'entropy') }
        // `save` wrote this file, and an incomplete checkpoint is never restored
        state.alarms = (await readJsonFile(join(folder, alarmsName))) as AlarmState
      },
    })
  return state
}

const referenceName = 'reference.safetensors'
const alarmsName = 'alarms.json'
