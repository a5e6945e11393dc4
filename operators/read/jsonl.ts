import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { operator } from '../../engine/operator.ts'
import { shuffled } from '../shuffle.ts'

/** Keys are `epoch:line`, both from 1. A line that is not JSON ends the run; empty lines are passed over. */
export default operator({
  summary: 'Reads a file of JSON lines, one item a line.',
  config: {
    path: { type: 'string', description: 'File with one JSON value a line.' },
    shuffle: {
      type: 'boolean',
      default: false,
      description: "Take the lines in an order that the run's seed decides.",
    },
    limit: { type: 'integer', minimum: 0, default: 0, description: 'Lines taken in one pass; 0 takes all.' },
    epochs: {
      type: 'integer',
      minimum: 0,
      default: 1,
      description: 'Passes over the file; 0 goes on without end.',
    },
  },
  inputs: {},
  outputs: { items: 'any' },
  run: (_, { path, shuffle, limit, epochs }, context) => {
    async function* pull() {
      for (let epoch = 1; epochs === 0 || epoch <= epochs; epoch++) {
        let taken = 0
        const lines = shuffle ? shuffled(await all(linesOf(path)), context.seed, epoch) : linesOf(path)
        for await (const { text, number } of lines) {
          if (limit > 0 && taken === limit) break
          taken++
          yield { key: `${epoch}:${number}`, value: parse(text, path, number) }
        }
        if (taken === 0) throw new Error(`${path}: must hold at least one line of JSON`)
      }
    }
    return { items: context.source(pull) }
  },
})

interface Line {
  text: string
  number: number
}

async function* linesOf(path: string): AsyncGenerator<Line> {
  const input = createReadStream(path)
  try {
    let number = 0
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++
      if (text.trim() !== '') yield { text, number }
    }
  } finally {
    input.destroy()
  }
}

function parse(text: string, path: string, number: number): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${path}:${number}: must be one JSON value a line: ${reason}`)
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
