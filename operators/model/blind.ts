import { operator } from '../../engine/operator.ts'
import { bytesOf } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'
import type { Prompt } from '../kinds.ts'
import { promptPort } from '../ports.ts'
import { zeroFeatures } from './zero-features.ts'

/** The connector turns zeros into the same visual tokens for every clip, so the model can only answer from the text. */
export default operator({
  summary: 'Replaces the vision features of prompts by zeros: a control that sees no video.',
  config: {},
  inputs: { prompts: promptPort },
  outputs: { prompts: { kind: 'prompt', like: 'prompts' } },
  drops: false,
  run: ({ prompts }, _config, context) => ({
    prompts: prompts.pipe(
      context.each(async (prompt: Prompt) => {
        const device = await sharedDevice(context)
        const features = zeroFeatures(device, prompt.features.shape)
        const dispose = () => device.freeTensor(features)
        const made = prompt.made && { made: { ...prompt.made, visual: 'zero' as const } }
        return context.emit(
          { ...prompt, features, ...made },
          { bytes: bytesOf(features), dispose, keep: false },
        )
      }),
    ),
  }),
})
