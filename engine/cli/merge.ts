import { mergeResults } from '../../operators/eval/merge.ts'
import { UsageError } from './arguments.ts'
import type { Verb } from './verb.ts'

export const merge: Verb = {
  summary: 'Puts the results of shards together and proves that every question is there once.',
  usage: 'FOLDER...',
  flags: { out: { value: 'DIR', description: 'Folder for the whole.' } },
  example: 'flow merge results/shard-1 results/shard-2 --out results/whole',
  run: async (words, { print, complain }) => {
    const out = words.last('out')
    if (out === undefined) throw new UsageError('--out: must name the folder for the whole')
    if (words.positional.length === 0) throw new UsageError('must name folders of results, found nothing')
    try {
      for (const line of await mergeResults(out, words.positional)) print(line)
      return 0
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      complain(`${error.message} (${error.code})`)
      return 1
    }
  },
}
