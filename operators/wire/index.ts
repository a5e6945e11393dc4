import { jsonForm, type WireForm } from '../../engine/operator.ts'
import { clipForm, groupForm, promptForm } from './prompt.ts'
import { exampleForm, framesForm } from './tensors.ts'

/** How values of each kind travel between processes. A kind that is missing here stays in one: edges of it cannot be cut. */
export const forms: Readonly<Record<string, WireForm>> = {
  answer: jsonForm,
  benchmark: jsonForm,
  clip: clipForm,
  'clip-questions': jsonForm,
  example: exampleForm,
  frames: framesForm,
  group: groupForm,
  prompt: promptForm,
  result: jsonForm,
  sample: jsonForm,
  version: jsonForm,
}
