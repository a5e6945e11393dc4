import { type ExportForm, exportForms, exportResults } from '../../../operators/eval/results/export.ts'
import { onlyWord, UsageError } from '../arguments.ts'
import type { Verb } from '../verb.ts'

export const exportVerb: Verb = {
  summary: 'Writes results in the form of another program or of a submission.',
  usage: 'FOLDER',
  flags: {
    as: { value: 'FORM', choices: exportForms, description: `${exportForms.join(', ')}.` },
    out: { value: 'DIR', description: 'Folder for the files.' },
  },
  example: [
    'npx flow run flow:eval/lvbench.json --set answers=oracle \\',
    '  --set data=graphs/demo/quiz --set out=results/oracle',
    'npx flow export results/oracle --as lvbench --out submission',
  ].join('\n'),
  run: async (words, { print, complain }) => {
    const folder = onlyWord(words, 'folder of results')
    const form = words.last('as')
    const out = words.last('out')
    if (form === undefined) throw new UsageError(`--as: must be one of ${exportForms.join(', ')}`)
    if (out === undefined) throw new UsageError('--out: must name the folder for the files')
    // one of the choices of the flag
    const { paths, lack } = exportResults(folder, form as ExportForm, out)
    for (const path of paths) print(path)
    if (lack !== undefined) complain(lack)
    return 0
  },
}
