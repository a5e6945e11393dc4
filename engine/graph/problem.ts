import { CodedError } from '../shared/errors.ts'

/** One thing wrong with a graph: a stable code for programs, a place and a sentence for people. */
export interface Problem {
  code: ProblemCode
  /** Its place in a file; absent when it came from the command line, which `path` then shows. */
  place?: Place
  /** Dotted path as `--set` takes it, e.g. `nodes.update.config.beta`. */
  path: string
  /** What would be right, e.g. `must be >= 1`. */
  rule: string
  /** The value that is there instead, as JSON text. */
  found?: string
  /** The nearest known name, or what the field means. */
  hint?: string
  /** The known name that was most likely meant. */
  nearest?: string
  /** What to do about it, in one line; without one, the usual remedy for its code. */
  remedy?: string
  /** Faults inside what the value names, one a line, each with its place. */
  details?: readonly string[]
  /** It is of some of the items alone: a run fails when it reaches one. */
  isOfSome?: boolean
  /** Of an edge: the types of its ends. */
  ends?: { from: TypedEnd; to: TypedEnd }
}

/** An end of an edge, `node.port`, and the type of what it carries, e.g. `frames f32[F=16, 3, S, S]`. */
export interface TypedEnd {
  end: string
  type: string
}

/** A file with 1-based line and column. */
export interface Place {
  file: string
  line: number
  column: number
}

export type ProblemCode =
  | 'unreadable-file'
  | 'syntax'
  | 'duplicate-key'
  | 'structure'
  | 'unknown-key'
  | 'missing-key'
  | 'bad-param'
  | 'missing-param'
  | 'unknown-param'
  | 'unused-param'
  | 'bad-set'
  | 'bad-plugin'
  | 'unknown-operator'
  | 'unknown-resource'
  | 'unused-resource'
  | 'resource-cycle'
  | 'bad-config'
  | 'unknown-node'
  | 'unknown-port'
  | 'kind-mismatch'
  | 'dtype-mismatch'
  | 'shape-mismatch'
  | 'bad-part'
  | 'no-wire-form'
  | 'bad-learners'
  | 'unconnected-input'
  | 'bad-edge'
  | 'cycle'
  | 'batch-never-fills'
  | 'pair-never-meets'
  | 'bad-sub-graph'
  | 'bad-extends'
  | 'bad-variable'
  | 'cannot-run'
  | 'no-memory'
  | WarningCode

/** Findings that do not keep a graph from running, but are most likely not meant. */
export type WarningCode =
  | 'unconnected-output'
  | 'unread-config'
  | 'plugin-left-out'
  | 'differs'
  | 'doubtful-data'

/** A graph that must not run, with all its problems. */
export class GraphError extends CodedError<'invalid-graph'> {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super('invalid-graph', problems.map(describe).join('\n'))
    this.problems = problems
  }
}

/** One line: `file:line:column path: rule, found X (hint)`. */
export function describe(problem: Problem): string {
  const { place, path } = problem
  const where = place ? `${place.file}:${place.line}:${place.column}${path && ` ${path}`}` : path
  return `${where}: ${sentence(problem)}`
}

/** What is wrong, without the place. */
export function sentence({ rule, found, hint }: Pick<Problem, 'rule' | 'found' | 'hint'>): string {
  return `${rule}${found === undefined ? '' : `, found ${found}`}${hint ? ` (${hint})` : ''}`
}

/** JSON text of a value, shortened to 60 characters. */
export function show(value: unknown, absent = 'undefined'): string {
  const text = value === undefined ? absent : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
