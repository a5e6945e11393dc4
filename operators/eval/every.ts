import { filter, share } from 'rxjs'
import { type Item, operator, type SourceItem } from '../../engine/operator.ts'
import type { Sample } from '../kinds.ts'
import { columnFields } from '../read/columns.ts'
import { inspectSamples } from '../read/inspect-samples.ts'
import { readQuestions } from '../read/questions.ts'
import { rowsMemory } from '../read/rows.ts'

/** Beside a question: which evaluation it belongs to, and of how many questions that is. */
export interface HeldOut {
  version: number
  questions: number
}

/**
 * `eval.held-out` takes both outputs. Where generation waits for its version, an evaluation sees the weights of one
 * update, and a resumed run evaluates where one that was never stopped does.
 */
export default operator({
  summary: 'Asks held-out questions after every `every` updates, and passes other versions on.',
  config: {
    every: { type: 'integer', minimum: 1, description: 'Updates from one evaluation to the next.' },
    path: {
      type: 'string',
      reads: 'data',
      description: 'Questions that training does not see, as for read.questions.',
    },
    root: {
      type: 'string',
      reads: 'data',
      default: '',
      description: "Folder that the clips' names start from; empty for the folder of the file.",
    },
    ...columnFields,
    limit: { type: 'integer', minimum: 0, default: 0, description: 'Questions of one evaluation; 0 is all.' },
  },
  inputs: { versions: 'version' },
  outputs: {
    samples: { kind: 'sample', description: 'The questions of an evaluation that is due.' },
    versions: { kind: 'version', description: 'Updates without an evaluation.' },
  },
  drops: true,
  expands: true,
  memory: ({ path }) => rowsMemory(path),
  inspect: (settings, known) =>
    inspectSamples({ ...settings, epochs: 0 }, () => readQuestions(settings), 'held-out questions', known),
  run: ({ versions }, { every, limit, ...settings }, context) => {
    let questions: readonly SourceItem<Sample>[] | undefined
    const ask = async (version: number, { key }: Item<number>) => {
      if (version % every !== 0) return [context.emit<Sample | number>(version)]
      questions ??= await readQuestions(settings)
      const asked = limit > 0 ? questions.slice(0, limit) : questions
      const heldOut: HeldOut = { version, questions: asked.length }
      return asked.map(({ key: line, value }) => {
        const sample: Sample = { ...value, fields: { ...value.fields, heldOut } }
        return context.emit<Sample | number>(sample, { key: `${key}/held-out:${line}` })
      })
    }
    const all = versions.pipe(context.each(ask), share())
    return {
      samples: all.pipe(filter(({ value }) => typeof value !== 'number')),
      versions: all.pipe(filter(({ value }) => typeof value === 'number')),
    }
  },
})
