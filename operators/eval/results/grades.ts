import { isFailure } from '../../question.ts'
import type { Result } from './result.ts'

/** The marks of answers that a judge grades, as MLVU reports them: the sum of two marks, from 2 to 10. */
export interface Grades {
  /** Mean of the tasks: G-Avg. */
  mean: number
  tasks: readonly TaskGrades[]
}

interface TaskGrades {
  task: string
  /** Mean sum of the marks of its answers; one without a verdict counts as 0, as in the official script. */
  mean: number
  /** Mean of each mark, of the answers that have marks. */
  marks: Readonly<Record<string, number>>
  graded: number
  answers: number
}

/** Undefined where nothing is graded. */
export function gradesIn(results: readonly Result[]): Grades | undefined {
  const open = results.filter(result => result.open && result.open.rule !== 'answer')
  const names = [...new Set(open.flatMap(({ tasks }) => tasks))]
  if (names.length === 0) return undefined
  const tasks = names.map(task =>
    gradesOf(
      task,
      open.filter(result => result.tasks.includes(task)),
    ),
  )
  return { mean: meanOf(tasks.map(({ mean }) => mean)), tasks }
}

const most = 10

function gradesOf(task: string, results: readonly Result[]): TaskGrades {
  const graded = results.filter(({ credit, outcome }) => credit !== undefined && !isFailure(outcome))
  const names = [...new Set(graded.flatMap(({ marks = {} }) => Object.keys(marks)))]
  const markMean = (name: string) => meanOf(graded.flatMap(({ marks }) => marks?.[name] ?? []))
  return {
    task,
    mean: meanOf(results.map(({ credit = 0 }) => credit * most)),
    marks: Object.fromEntries(names.map(name => [name, markMean(name)])),
    graded: graded.length,
    answers: results.length,
  }
}

const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

/** The grades for people, a line each. */
export function describeGrades({ mean, tasks }: Grades): string[] {
  const lines = tasks.map(({ task, mean: sum, marks, graded, answers }) => {
    const parts = Object.entries(marks).map(([name, mark]) => `${name} ${mark.toFixed(2)}`)
    const missing = graded < answers ? `, ${answers - graded} without a verdict count as 0` : ''
    return `${task}: ${sum.toFixed(2)} of ${most} (${[...parts, `${graded} of ${answers} graded`].join(', ')}${missing})`
  })
  return [`G-Avg ${mean.toFixed(2)} of ${most}, the mean of the tasks`, ...lines]
}
