// Ports that carry tensors, with the names of their extents.
import type { Known, PortDetails, Sizes } from '../engine/operator.ts'

/** Pixels of a clip: F frames, S their side. */
export const framesPort = {
  kind: 'frames',
  dtype: 'f32',
  shape: ['F', 3, 'S', 'S'],
} as const satisfies PortDetails

/** A prompt with its features: F frames, P tokens of a frame, V width of the vision tower. */
export const promptPort = {
  kind: 'prompt',
  dtype: 'f32',
  shape: ['F', 'P', 'V'],
} as const satisfies PortDetails

/** A conversation with its features, as in a prompt. */
export const examplePort = {
  kind: 'example',
  dtype: 'f32',
  shape: ['F', 'P', 'V'],
} as const satisfies PortDetails

/** G completions of a prompt, of at most T tokens. They are on the host; the prompt's features stay on the GPU. */
export const groupPort = { kind: 'group', shape: ['G', 'T'] } as const satisfies PortDetails

/** The extents above that the model decides. */
export function modelDims(sizes: Known['sizes'], model: string): Sizes {
  const { imageSize, frameTokens, visionHidden } = sizes(model)
  return { S: imageSize, P: frameTokens, V: visionHidden }
}
