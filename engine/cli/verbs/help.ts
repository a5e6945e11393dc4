import { hint, UsageError } from '../arguments.ts'
import { graphIn, paramLines } from '../graph-params.ts'
import { describeVerb, describeVerbs } from '../help-text.ts'
import type { Verb } from '../verb.ts'

/** The help of a verb. If the verb takes settings and `words` name a graph, the params of the graph follow. */
export function helpOn(name: string, verb: Verb, words: readonly string[]): string[] {
  const graph = 'set' in verb.flags ? graphIn(words) : undefined
  return [describeVerb(name, verb), ...(graph === undefined ? [] : ['', ...paramLines(graph)])]
}

/** The verb `help`, which explains the other verbs. */
export function makeHelp(verbs: Readonly<Record<string, Verb>>): Verb {
  const help: Verb = {
    summary: 'Explains the verbs, or one of them, and the params of a graph.',
    usage: '[VERB [GRAPH]]',
    flags: {},
    example: 'npx flow help run',
    run: async ({ positional: [name, ...graphs] }, { print }) => {
      const verb = name !== undefined && Object.hasOwn(all, name) ? all[name] : undefined
      if (name === undefined) print(describeVerbs(verbs))
      else if (verb) for (const text of helpOn(name, verb, graphs)) print(text)
      else throw new UsageError(`${name}: must be a verb${hint(name, Object.keys(all))}`)
      return 0
    },
  }
  const all: Readonly<Record<string, Verb>> = { ...verbs, help }
  return help
}
