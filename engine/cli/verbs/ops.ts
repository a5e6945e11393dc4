import { nearestHint } from '../../graph/did-you-mean.ts'
import type { PartTables } from '../../graph/plan.ts'
import { GraphError } from '../../graph/problem.ts'
import type { Operator, Port, Resource } from '../../operator.ts'
import { table } from '../../shared/table.ts'
import { UsageError } from '../arguments.ts'
import { describeFields } from '../describe-fields.ts'
import { pluginFlag } from '../plug.ts'
import type { Verb } from '../verb.ts'

export const ops: Verb = {
  summary: 'Lists operators, resources and parts of models, or describes one.',
  usage: '[NAME]',
  flags: { plugin: pluginFlag },
  example: 'npx flow ops stream.batch',
  run: async ({ positional }, { registry, print }) => {
    const { operators, resources, parts = {}, problems = [] } = registry
    if (problems.length > 0) throw new GraphError(problems)
    if (positional.length > 1) throw new UsageError(`must name one operator, found ${positional.join(' ')}`)
    const [name] = positional
    if (name === undefined) {
      print('operators')
      for (const line of table(summaries(operators), '  ')) print(line)
      print('resources')
      for (const line of table(summaries(resources), '  ')) print(line)
      for (const line of listParts(parts)) print(line)
      return 0
    }
    const operator = Object.hasOwn(operators, name) ? operators[name] : undefined
    const resource = Object.hasOwn(resources, name) ? resources[name] : undefined
    const lines = operator
      ? describeOperator(name, operator)
      : resource
        ? describeResource(name, resource)
        : describePart(name, parts)
    if (!lines) {
      const partNames = Object.values(parts).flatMap(named => [...named.keys()])
      const hint = nearestHint(name, [...Object.keys(operators), ...Object.keys(resources), ...partNames])
      throw new UsageError(
        `${name}: must be an operator, a resource or a part${hint && ` (${hint})`}; "flow ops" lists them`,
      )
    }
    for (const line of lines) print(line)
    return 0
  },
}

/** The tables of parts, one after another. */
const listParts = (parts: PartTables): string[] =>
  Object.entries(parts).flatMap(([title, named]) => [
    title,
    ...table(summaries(Object.fromEntries(named)), '  '),
  ])

function describeOperator(name: string, { summary, inputs, outputs, config, unordered }: Operator): string[] {
  return [
    `${name}: ${summary}`,
    ...section('inputs', Object.entries(inputs).map(describePort)),
    ...section('outputs', Object.entries(outputs).map(describePort)),
    ...section('config', describeFields(config)),
    unordered
      ? 'The order of the output is not that of the input.'
      : 'The output keeps the order of the input.',
  ]
}

function describeResource(name: string, { summary, kind, config }: Resource): string[] {
  return [`${name}: ${summary}`, `kind  ${kind}`, ...section('config', describeFields(config))]
}

function describePart(name: string, parts: PartTables): string[] | undefined {
  for (const [title, named] of Object.entries(parts)) {
    const part = named.get(name)
    if (part)
      return [`${name}: ${part.summary}`, `one of the ${title} that a checkpoint's config.json may name`]
  }
  return undefined
}

function describePort([name, port]: [string, Port]): string[] {
  if (typeof port === 'string') return [name, port, '']
  return [
    name,
    port.kind,
    [port.optional ? 'optional' : '', port.description ?? ''].filter(Boolean).join('; '),
  ]
}

const section = (title: string, rows: string[][]): string[] =>
  rows.length === 0 ? [] : [title, ...table(rows, '  ')]

const summaries = (parts: Readonly<Record<string, { summary: string }>>) =>
  Object.entries(parts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { summary }]) => [name, summary])
