import { mergeResults } from '../../../operators/eval/results/merge.ts'
import { UsageError } from '../arguments.ts'
import type { Verb } from '../verb.ts'

export const merge: Verb = {
  summary: 'Merges the results of shards and checks that no question is missing.',
  usage: 'FOLDER...',
  flags: { out: { value: 'DIR', description: 'Folder for the merged results.' } },
  example: [
    'part() {',
    '  npx flow run flow:eval/lvbench.json --shard $1/2 \\',
    '    --set data=graphs/demo/quiz --set answers=oracle \\',
    '    --set out=results/part-$1',
    '}',
    'part 1; part 2; npx flow merge results/part-1 results/part-2 --out results/whole',
  ].join('\n'),
  run: async (words, { print }) => {
    const out = words.last('out')
    if (out === undefined) throw new UsageError('--out: must name the folder for the merged results')
    if (words.positional.length === 0) throw new UsageError('must name folders of results, found nothing')
    for (const line of await mergeResults(out, words.positional)) print(line)
    return 0
  },
}
