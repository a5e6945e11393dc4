import { isObject } from '../../shared/json.ts'
import { readGraphFile, unreadable } from '../missing-file.ts'
import { GraphError, type Problem } from '../problem.ts'
import { readSource } from './extends.ts'

/** The params that a graph file declares, with those of the graphs that it extends. Throws a GraphError when it cannot be read. */
export function declaredParams(file: string): Record<string, Record<string, unknown>> {
  const problems: Problem[] = []
  let value: unknown
  try {
    value = readSource(file, readGraphFile, problems)?.value
  } catch (error) {
    problems.push(unreadable(file, error))
  }
  if (problems.length > 0) throw new GraphError(problems)
  const params = isObject(value) && isObject(value.params) ? value.params : {}
  return Object.fromEntries(
    Object.entries(params).flatMap(([name, declared]) => (isObject(declared) ? [[name, declared]] : [])),
  )
}
