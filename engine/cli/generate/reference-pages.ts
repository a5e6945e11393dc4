import { detailsOf } from '../../graph/checks/types.ts'
import type { Registry } from '../../graph/plan.ts'
import type { Fields, Operator, Port, Resource } from '../../operator.ts'
import { describeFields } from '../verbs/ops.ts'

const begin = '<!-- What follows is written by engine/cli/generate/reference.ts. -->'

/** A page with what stands after the mark replaced by the reference of all operators and resources. */
export function withReference(page: string, { operators, resources }: Registry): string {
  const at = page.indexOf(begin)
  const own = at < 0 ? `${page.trimEnd()}\n\n` : page.slice(0, at)
  const names = (table: object) => Object.keys(table).sort()
  return [
    `${own}${begin}`,
    '## Operators',
    ...names(operators).map(name => operatorPage(name, operators[name])),
    '## Resources',
    ...names(resources).map(name => resourcePage(name, resources[name])),
  ]
    .join('\n\n')
    .concat('\n')
}

function operatorPage(name: string, { summary, inputs, outputs, config, unordered }: Operator): string {
  return [
    `### ${name}`,
    summary,
    ports('in', inputs),
    ports('out', outputs),
    fields(config),
    unordered ? 'The order of the output is not that of the input.' : '',
  ]
    .filter(Boolean)
    .join('\n\n')
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
