import { fileURLToPath } from 'node:url'
import { placeInCode } from '../graph/code-place.ts'
import type { Plan, Registry } from '../graph/plan.ts'
import { RunError } from '../run/error.ts'
import { messageOf } from '../shared/errors.ts'

/**
 * An error that was thrown where no stream of a node could take it: in a timer, in a promise that nobody awaits, in a
 * subscriber. Its stack tells which plugin it came from, and that tells the nodes.
 */
export function strayFault(error: unknown, { nodes }: Plan, { modules = {} }: Registry): RunError {
  if (error instanceof RunError) return error
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const isIn = (url: string) => stack.includes(url) || stack.includes(fileURLToPath(url))
  const found = nodes.filter(({ operatorName }) => {
    const url = Object.hasOwn(modules, operatorName) ? modules[operatorName] : undefined
    return url !== undefined && isIn(url)
  })
  const where = found.map(({ name, operatorName }) => `"${name}" (${operatorName})`).join(' or ')
  const place = placeInCode(error)?.at
  const message = `${where === '' ? 'an error' : `node ${where}: an error`} outside its streams${place ? `, at ${place}` : ''}: ${messageOf(error)}`
  return new RunError('operator-failed', message, {
    cause: error,
    remedy:
      'an operator must catch what its timers, promises and subscribers throw, or pass it on to its stream',
  })
}
