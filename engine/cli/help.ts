import { hint, UsageError } from './arguments.ts'
import type { Verb } from './verb.ts'

/** The verb `help` over the others, and the text for `--help` of one. */
export function makeHelp(verbs: Readonly<Record<string, Verb>>): Verb {
  return {
    summary: 'Explains the verbs, or one of them.',
    usage: '[VERB]',
    flags: {},
    example: 'flow help run',
    run: async ({ positional: [name] }, { print }) => {
      if (name === undefined) print(overview(verbs))
      else if (Object.hasOwn(verbs, name)) print(describeVerb(name, verbs[name]))
      else throw new UsageError(`${name}: must be a verb${hint(name, Object.keys(verbs))}`)
      return 0
    },
  }
}

function overview(verbs: Readonly<Record<string, Verb>>): string {
  const rows = Object.entries(verbs).map(([name, { summary, usage }]) => [`flow ${name} ${usage}`, summary])
  const width = Math.max(...rows.map(([call]) => call.length))
  return [
    'flow runs dataflow graphs that train and evaluate a video-reasoning model.',
    '',
    ...rows.map(([call, summary]) => `  ${call.padEnd(width)}  ${summary}`),
    '',
    '"flow help VERB" explains one. Exit codes: 0 fine, 1 the run failed, 2 wrong graph or command, 130 interrupted.',
  ].join('\n')
}

/** The text for `--help` of a verb: one screen. */
export function describeVerb(name: string, { summary, usage, flags, example }: Verb): string {
  const rows = Object.entries(flags).map(([flag, { value, description }]) => [
    `--${flag}${value ? ` ${value}` : ''}`,
    description,
  ])
  const width = Math.max(0, ...rows.map(([call]) => call.length))
  return [
    `flow ${name} ${usage}${rows.length > 0 ? ' [flags]' : ''}`,
    summary,
    ...(rows.length > 0 ? ['', ...rows.map(([call, text]) => `  ${call.padEnd(width)}  ${text}`)] : []),
    '',
    `Example: ${example}`,
  ].join('\n')
}
