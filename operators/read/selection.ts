import { existsSync } from 'node:fs'
import { hashText } from '../../engine/shared/hash.ts'
import type { Question } from '../question.ts'
import { ReadError } from './read-error.ts'
import { readText } from './rows.ts'

/** Fields that say which questions of a benchmark are asked. */
export const selectionFields = {
  ids: {
    type: 'array',
    items: { type: 'string' },
    default: [],
    description:
      'Ids of the questions asked, or files with one id a line; an empty list asks all. The name of the benchmark may be left out.',
  },
  sample: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description:
      'Questions drawn at random of each task; 0 draws none. A larger sample holds the smaller ones of its seed.',
  },
  sampleSeed: { type: 'integer', default: 0, description: 'Another number draws another sample.' },
  taskLimit: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'Questions asked of each task, from the first; 0 asks all.',
  },
  limit: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'Questions asked in all, from the first; 0 asks all.',
  },
} as const

export interface Selection {
  readonly ids: readonly string[]
  readonly sample: number
  readonly sampleSeed: number
  readonly taskLimit: number
  readonly limit: number
}

/** The questions that are asked, in the order of the benchmark. A question of several tasks counts in each. */
export async function selected(
  questions: readonly Question[],
  { ids, sample, sampleSeed, taskLimit, limit }: Selection,
): Promise<readonly Question[]> {
  const named = ids.length > 0 ? withIds(questions, await idsIn(ids)) : questions
  const rank = new Map(named.map(one => [one, hashText(`${sampleSeed}\0${one.fields.id}`)]))
  const byRank = [...named].sort((one, other) => (rank.get(one) ?? 0) - (rank.get(other) ?? 0))
  const drawn = sample > 0 ? firstOfTasks(byRank, sample) : new Set(named)
  const kept = named.filter(question => drawn.has(question))
  const first = taskLimit > 0 ? firstOfTasks(kept, taskLimit) : drawn
  const asked = kept.filter(question => first.has(question))
  return limit > 0 ? asked.slice(0, limit) : asked
}

function firstOfTasks(questions: readonly Question[], count: number): Set<Question> {
  const counts = new Map<string, number>()
  const taken = new Set<Question>()
  for (const question of questions) {
    const { tasks } = question.fields
    if (!tasks.some(task => (counts.get(task) ?? 0) < count)) continue
    taken.add(question)
    for (const task of tasks) counts.set(task, (counts.get(task) ?? 0) + 1)
  }
  return taken
}

async function idsIn(names: readonly string[]): Promise<string[]> {
  const lists = names.map(async name => {
    if (!existsSync(name)) return [name]
    return (await readText(name)).split(/\r?\n/).map(line => line.trim())
  })
  return (await Promise.all(lists)).flat().filter(id => id !== '')
}

function withIds(questions: readonly Question[], ids: readonly string[]): Question[] {
  const wanted = new Set(ids)
  const found = new Set<string>()
  const kept = questions.filter(({ fields: { id } }) => {
    const name = [id, id.slice(id.indexOf('/') + 1)].find(one => wanted.has(one))
    if (name !== undefined) found.add(name)
    return name !== undefined
  })
  const unknown = [...wanted].filter(id => !found.has(id))
  if (unknown.length === 0) return kept
  const more = unknown.length > 5 ? `, … and ${unknown.length - 5} more` : ''
  throw new ReadError(
    'no-questions',
    `ids: no question has the id ${unknown.slice(0, 5).join(', ')}${more}; ids look like ${questions[0]?.fields.id}`,
  )
}
