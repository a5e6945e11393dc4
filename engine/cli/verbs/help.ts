import { hint, UsageError } from '../arguments.ts'
import { describeVerb, describeVerbs } from '../help-text.ts'
import type { Verb } from '../verb.ts'

/** The verb `help`, which explains the other verbs. */
export function makeHelp(verbs: Readonly<Record<string, Verb>>): Verb {
  const help: Verb = {
    summary: 'Explains the verbs, or one of them.',
    usage: '[VERB]',
    flags: {},
    example: 'npx flow help run',
    run: async ({ positional: [name] }, { print }) => {
      const verb = name !== undefined && Object.hasOwn(all, name) ? all[name] : undefined
      if (name === undefined) print(describeVerbs(verbs))
      else if (verb) print(describeVerb(name, verb))
      else throw new UsageError(`${name}: must be a verb${hint(name, Object.keys(all))}`)
      return 0
    },
  }
  const all: Readonly<Record<string, Verb>> = { ...verbs, help }
  return help
}
