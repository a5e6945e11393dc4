import { defer } from 'rxjs'
import { operator } from '../../engine/operator.ts'
import {
  appendFileSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from '../../engine/platform/files.ts'
import { dirname, join } from '../../engine/platform/paths.ts'
import { CodedError } from '../../engine/shared/errors.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { notInJson } from '../../engine/shared/json.ts'

/** Each line is written before its item is released, so every acknowledged item is in the file. */
export default operator({
  summary:
    'Writes each item as one line of JSON. Groups of completions are internal: group.conversations before it makes rows to learn from, and group.record keeps completions with their rewards. The fields of every kind of item: @flow-graphs/flow/kinds.',
  config: {
    path: {
      type: 'string',
      writes: true,
      description: 'File to write; its folder is created if it is missing.',
    },
    append: { type: 'boolean', default: false, description: 'Append to a file that exists.' },
  },
  inputs: { items: 'any' },
  outputs: {},
  run: ({ items }, { path, append }, context) => {
    let appends = append
    context.checkpoint({
      save: folder => writeFileSync(join(folder, 'bytes'), String(statSync(path).size)),
      restore: folder => {
        truncateSync(path, Number(readFileSync(join(folder, 'bytes'), 'utf8')))
        appends = true
      },
    })
    const write = context.each((value: unknown, { key }) => {
      const lost = notInJson(value)
      if (lost)
        throw new CodedError(
          'not-json',
          `${path}: ${lost.path || 'the item'} of item ${key} must be something that JSON can hold, found ${lost.found}`,
          { remedy: 'let the node before yield a finite number, null or a plain list there' },
        )
      appendFileSync(path, `${JSON.stringify(value)}\n`)
      return undefined
    })
    const written = defer(() => {
      makeFolder(dirname(path))
      writeFileSync(path, '', { flag: appends ? 'a' : 'w' })
      return items.pipe(write)
    })
    return { written }
  },
})
