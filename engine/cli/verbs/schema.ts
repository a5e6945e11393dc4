import { publishedSchema } from '../../graph/file/editor-schema.ts'
import { replaceFile } from '../../shared/replace-file.ts'
import { pluginFlag } from '../plug.ts'
import type { Verb } from '../verb.ts'

export const schema: Verb = {
  summary: 'Writes a JSON Schema of graph files for editors, with the operators of plugins.',
  usage: '[GRAPH…]',
  loads: 'graphs',
  flags: {
    plugin: pluginFlag,
    out: { value: 'FILE', description: 'File to write, instead of printing it.' },
  },
  example: 'npx flow schema --out my-graph.schema.json',
  run: async (words, { registry, print }) => {
    const text = JSON.stringify(publishedSchema(registry), null, 2)
    const file = words.last('out')
    if (file === undefined) print(text)
    else {
      replaceFile(file, `${text}\n`)
      print(`wrote ${file}: put "$schema": "./${file}" first in a graph`)
    }
    return 0
  },
}
