import { compareResults, describeComparison } from '../../../operators/eval/results/compare.ts'
import { writeComparisonPage } from '../../../operators/eval/results/compare-page.ts'
import { UsageError } from '../arguments.ts'
import type { Verb } from '../verb.ts'

export const compare: Verb = {
  summary: 'Compares two evaluations question by question.',
  usage: 'FIRST SECOND',
  flags: {
    json: { description: 'Print JSON.' },
    html: { value: 'FILE', description: 'Write a page that shows both side by side, with their flips.' },
  },
  example: [
    'results() {',
    '  npx flow run flow:eval/lvbench.json --set answers=$1 \\',
    '    --set data=graphs/demo/quiz --set out=results/$1',
    '}',
    'results constant; results oracle',
    'npx flow compare results/constant results/oracle --html flips.html',
  ].join('\n'),
  run: async (words, { print }) => {
    const [first, second, ...more] = words.positional
    if (first === undefined || second === undefined || more.length > 0)
      throw new UsageError(`must name two folders of results, found ${words.positional.length}`)
    const comparison = compareResults(first, second)
    if (words.last('json') === undefined) for (const line of describeComparison(comparison)) print(line)
    else print(JSON.stringify(comparison, null, 2))
    const file = words.last('html')
    if (file !== undefined) await writeComparisonPage(file, first, second)
    return 0
  },
}
