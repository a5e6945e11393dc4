import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defer, EMPTY, take, tap } from 'rxjs'
import { operator } from '../../engine/operator.ts'

/** When it has passed them on it stops what stands before it, as far as nothing else listens there. */
export default operator({
  summary: 'Passes the first items on and ends.',
  config: {
    count: { type: 'integer', minimum: 1, description: 'Items to pass on.' },
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  run: ({ items }, { count }, context) => {
    let passed = 0
    context.checkpoint({
      save: folder => writeFile(join(folder, 'passed'), String(passed)),
      restore: async folder => {
        passed = Number(await readFile(join(folder, 'passed'), 'utf8'))
      },
    })
    const first = defer(() => {
      if (passed >= count) return EMPTY
      return items.pipe(
        take(count - passed),
        tap(() => passed++),
      )
    })
    return { items: first }
  },
})
