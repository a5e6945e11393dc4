import { type LossOptions, lossFields } from '../../../operators/grpo/loss.ts'

/** The published loss with some constants changed. */
export function lossOptions(changes: Partial<LossOptions> = {}): LossOptions {
  const defaults = Object.entries(lossFields).map(([name, field]) => [name, field.default])
  // The cast holds because each field's default is of the field's own type.
  return { ...(Object.fromEntries(defaults) as LossOptions), ...changes }
}
