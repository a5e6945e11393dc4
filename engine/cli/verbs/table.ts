import {
  describeTable,
  type TableFormat,
  tableFormats,
  tabulate,
} from '../../../operators/eval/results/table.ts'
import { UsageError } from '../arguments.ts'
import type { Verb } from '../verb.ts'

export const table: Verb = {
  summary: 'Puts evaluations into one table: a row for each model, a column for each benchmark.',
  usage: 'FOLDER...',
  flags: {
    format: {
      value: 'FORMAT',
      choices: tableFormats,
      description: `${tableFormats.join(', ')}; without it, markdown.`,
    },
  },
  example: [
    'results() {',
    '  npx flow run flow:eval/lvbench.json --set answers=$1 \\',
    '    --set data=graphs/demo/quiz --set out=results/$1',
    '}',
    'results constant; results oracle; npx flow table results/constant results/oracle',
  ].join('\n'),
  run: async (words, { print }) => {
    if (words.positional.length === 0) throw new UsageError('must name folders of results, found nothing')
    // one of the choices of the flag
    const format = (words.last('format') ?? 'markdown') as TableFormat
    for (const line of describeTable(tabulate(words.positional), format)) print(line)
    return 0
  },
}
