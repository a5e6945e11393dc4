import { detailsOf } from '../../graph/checks/types.ts'
import type { Registry } from '../../graph/plan.ts'
import type { Fields, Operator, Port, Resource } from '../../operator.ts'
import { describeFields } from '../describe-fields.ts'

/** The reference of all operators and resources: a table of contents by folder, then a section for each. */
export function referencePage({ operators, resources }: Registry): string {
  const folders = new Map<string, string[]>()
  for (const name of Object.keys(operators).sort())
    folders.set(folderOf(name), [...(folders.get(folderOf(name)) ?? []), name])
  const resourceNames = Object.keys(resources).sort()
  return [
    '# Reference of operators and resources',
    'Generated from the code by `node dist/engine/cli/generate/reference.js`; do not edit. `npx flow ops NAME` shows the same in a terminal. How to write an operator: [README.md](README.md).',
    contents(folders, resourceNames),
    ...[...folders].flatMap(([folder, names]) => [
      `## ${folder}`,
      ...names.flatMap(name => (operators[name] ? [operatorPage(name, operators[name])] : [])),
    ]),
    '## Resources',
    ...resourceNames.flatMap(name => (resources[name] ? [resourcePage(name, resources[name])] : [])),
  ]
    .join('\n\n')
    .concat('\n')
}

const folderOf = (name: string): string => name.split('.', 1).join()

function contents(folders: ReadonlyMap<string, readonly string[]>, resourceNames: readonly string[]): string {
  const row = (title: string, names: readonly string[]) => `| ${title} | ${names.map(link).join(' · ')} |`
  return [
    '| folder | operators |',
    '| --- | --- |',
    ...[...folders].map(([folder, names]) => row(`[${folder}](#${folder})`, names)),
    row('[resources](#resources)', resourceNames),
  ].join('\n')
}

/** Pages make the anchor of a heading from its text without dots. */
const link = (name: string): string => `[${name}](#${name.replaceAll('.', '')})`

function operatorPage(name: string, operator: Operator): string {
  const { summary, inputs, outputs, config, unordered } = operator
  return [
    `### ${name}`,
    summary,
    ports('in', inputs),
    ports('out', outputs),
    fields(config),
    unordered ? 'The order of the output is not that of the input.' : '',
    passing(operator),
  ]
    .filter(Boolean)
    .join('\n\n')
}

/** How many items come out for those that go in. */
function passing({ inputs, outputs, drops, expands, waitsForEnd, pairs }: Operator): string {
  if (Object.keys(inputs).length === 0 || Object.keys(outputs).length === 0) return ''
  return [
    drops === false ? 'It drops no item.' : 'It may drop items.',
    expands ? 'It may make several items of one.' : '',
    waitsForEnd ? 'It emits nothing before its input has ended.' : '',
    pairs ? 'Its items wait for others with the same key.' : '',
  ]
    .filter(Boolean)
    .join(' ')
}

const resourcePage = (name: string, { summary, kind, config }: Resource): string =>
  [`### ${name}`, summary, `Kind \`${kind}\`.`, fields(config)].filter(Boolean).join('\n\n')

function ports(side: string, list: Readonly<Record<string, Port>>): string {
  const lines = Object.entries(list).map(([name, port]) => {
    const { kind, dtype, shape, optional, description } = detailsOf(port)
    const tensor = shape ? ` ${dtype ?? ''}[${shape.join(', ')}]` : ''
    const rest = [optional ? 'optional' : '', description ?? ''].filter(Boolean).join('; ')
    return `- ${side} \`${name}\`: ${kind}${tensor}${rest && `. ${rest}`}`
  })
  return lines.join('\n')
}

function fields(config: Fields): string {
  const rows = describeFields(config).map(
    row => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  )
  return rows.length === 0
    ? ''
    : ['| config | type | default | |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
