import type { Fields } from '../../engine/operator.ts'
import { JudgeError } from './judge-error.ts'

const field = (what: string) =>
  ({
    type: 'string',
    default: '',
    description: `${what}: must be empty, for only other judges have one.`,
  }) as const

/** Config that belongs to other judges: a graph that lets one choose a judge passes it to all. */
export const unusedFields = { url: field('An address'), key: field('A key') } as const satisfies Fields
export const unusedModel = { model: field('A model') } as const satisfies Fields

/** Refuses what would have no effect: the wrong judge was chosen. */
export function refuseUnused(fields: Readonly<Record<string, string>>, judge: string): void {
  for (const [name, value] of Object.entries(fields))
    if (value !== '')
      throw new JudgeError(
        'bad-judge',
        `judge=${judge}: the ${name} of a judge must not be set, for this judge has none: choose judge=chat, http or model`,
      )
}
