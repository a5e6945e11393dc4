import type { Finding, Outlines } from '../../engine/operator.ts'
import type { DevicelessModel } from '../../kernels/networks/memory-estimate.ts'

/** A warning of `flow check` where the completions of a model may be longer than its longest sequence. */
export function lengthFault(model: string, maxNewTokens: number, { outline }: Outlines): Finding[] {
  const maxLength = longestOf(model, outline)
  if (maxLength === undefined || maxNewTokens < maxLength) return []
  return [
    {
      field: 'maxNewTokens',
      rule: `must be less than ${maxLength}, the model's longest sequence, by as much as a prompt has`,
      lines: [`a prompt with its frames and ${maxNewTokens} tokens are longer`],
      code: 'too-long',
      isWarning: true,
      remedy: 'ask for fewer tokens: beyond its positions a model has not been trained',
    },
  ]
}

/** Undefined where the model cannot be read (yet): its resource reports the reason. */
function longestOf(model: string, outline: Outlines['outline']): number | undefined {
  try {
    return outline<DevicelessModel>(model).maxLength
  } catch {
    return undefined
  }
}
