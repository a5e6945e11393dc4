import { appendFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defer } from 'rxjs'
import { operator } from '../../engine/operator.ts'

/** Each line is written before its item is released, so what is acknowledged is in the file. */
export default operator({
  summary: 'Writes each item as one line of JSON.',
  config: {
    path: { type: 'string', description: 'File to write; its folder is made when it is missing.' },
    append: { type: 'boolean', default: false, description: 'Go on at the end of a file that is there.' },
  },
  inputs: { items: 'any' },
  outputs: {},
  run: ({ items }, { path, append }, context) => {
    let goesOn = append
    context.checkpoint({
      save: folder => writeFileSync(join(folder, 'bytes'), String(statSync(path).size)),
      restore: folder => {
        truncateSync(path, Number(readFileSync(join(folder, 'bytes'), 'utf8')))
        goesOn = true
      },
    })
    const write = context.each((value: unknown) => {
      appendFileSync(path, `${JSON.stringify(value)}\n`)
      return undefined
    })
    const written = defer(() => {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, '', { flag: goesOn ? 'a' : 'w' })
      return items.pipe(write)
    })
    return { written }
  },
})
