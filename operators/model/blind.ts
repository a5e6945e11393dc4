import { operator } from '../../engine/operator.ts'
import { bytesOf, sizeOf } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'
import type { Prompt } from '../kinds.ts'
import { promptPort } from '../ports.ts'

/** What the connector makes of zeros is the same for every clip: what a model then still knows, it has from the text. */
export default operator({
  summary: 'Replaces the vision features of prompts by zeros: the control that sees nothing.',
  config: {},
  inputs: { prompts: promptPort },
  outputs: { prompts: { kind: 'prompt', like: 'prompts' } },
  run: ({ prompts }, _config, context) => ({
    prompts: prompts.pipe(
      context.each(async (prompt: Prompt) => {
        const device = await sharedDevice(context)
        const { shape } = prompt.features
        const features = device.tensor('zeros', shape, 'f32', new Float32Array(sizeOf(shape)))
        const dispose = () => device.freeTensor(features)
        return context.emit({ ...prompt, features }, { bytes: bytesOf(features), dispose, keep: false })
      }),
    ),
  }),
})
