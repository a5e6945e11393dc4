import { operator } from '../../engine/operator.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { resolvePath } from '../builtin.ts'
import { shuffled } from '../shuffle.ts'
import { rowRemarks } from './enough-rows.ts'
import { itemsInPasses, passFields } from './epochs.ts'
import { parseExactJson } from './exact-json.ts'
import { linesOf } from './lines.ts'
import { refuseOtherLines } from './other-form.ts'
import { ReadError } from './read-error.ts'
import { readText } from './rows.ts'

/** Keys are `epoch:line`, both from 1. A line that is not JSON ends the run; empty lines are skipped. */
export default operator({
  summary: 'Reads a file of JSON lines, one item a line.',
  config: {
    path: { type: 'string', reads: 'data', description: 'File with one JSON value a line.' },
    ...passFields,
  },
  inputs: {},
  outputs: { items: 'any' },
  makes: itemsInPasses,
  async inspect({ path: stated, epochs, limit }) {
    const path = resolvePath(stated)
    let lines = 0
    for await (const { text, number } of linesOf(path)) {
      await parse(text, path, number)
      lines++
    }
    if (lines === 0) throw empty(path)
    return rowRemarks(lines, epochs, limit)
  },
  async *preview({ path: stated }) {
    const path = resolvePath(stated)
    for await (const { text, number } of linesOf(path))
      yield { key: number, value: await parse(text, path, number), place: `${path}:${number}` }
  },
  run: (_, { path: stated, shuffle, limit, epochs }, context) => {
    const path = resolvePath(stated)
    async function* pull() {
      let left = limit || Number.POSITIVE_INFINITY
      for (let epoch = 1; epochs === 0 || epoch <= epochs; epoch++) {
        let isEmpty = true
        const lines = shuffle ? shuffled(await all(linesOf(path)), context.seed, epoch) : linesOf(path)
        for await (const { text, number } of lines) {
          yield {
            key: `${epoch}:${number}`,
            value: await parse(text, path, number),
            place: `${path}:${number}`,
          }
          if (--left === 0) return
          isEmpty = false
        }
        if (isEmpty) throw empty(path)
      }
    }
    return { items: context.source(pull) }
  },
})

const empty = (path: string) => new ReadError('no-questions', `${path}: must hold at least one line of JSON`)

async function parse(text: string, path: string, number: number): Promise<unknown> {
  try {
    return parseExactJson(text)
  } catch (error) {
    refuseOtherLines(path, await readText(path), false)
    const reason = messageOf(error)
    throw new ReadError('bad-question', `${path}:${number}: must be one JSON value a line: ${reason}`)
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
