import { describe, type Problem, type ProblemCode, sentence } from './problem.ts'

export type ReportFormat = 'text' | 'json' | 'github'

/** All problems and warnings as one text: for people, for programs, or for GitHub's annotations. */
export function report(
  problems: readonly Problem[],
  warnings: readonly Problem[],
  format: ReportFormat = 'text',
): string {
  const leveled = [
    ...problems.map(problem => ({ level: 'error' as const, problem })),
    ...warnings.map(problem => ({ level: 'warning' as const, problem })),
  ]
  if (format === 'json') return JSON.stringify(leveled.map(asObject), null, 2)
  return leveled.map(format === 'github' ? asAnnotation : asText).join('\n')
}

interface Leveled {
  level: 'error' | 'warning'
  problem: Problem
}

function asText({ level, problem }: Leveled): string {
  const { code, ends, details = [] } = problem
  const width = ends ? Math.max(ends.from.end.length, ends.to.end.length) : 0
  const rows = ends
    ? [
        `    from  ${ends.from.end.padEnd(width)}  ${ends.from.type}`,
        `    to    ${ends.to.end.padEnd(width)}  ${ends.to.type}`,
      ]
    : []
  const mark = level === 'warning' ? `warning ${code}` : code
  return [
    `${describe(problem)} [${mark}]`,
    ...rows,
    ...details.map(line => `    ${line}`),
    `    fix:  ${remedyOf(problem)}`,
  ].join('\n')
}

function asObject({ level, problem }: Leveled): object {
  const { code, place, path, rule, found, hint, nearest, details, ends } = problem
  return {
    level,
    code,
    ...place,
    path,
    pointer: `/${path.split('.').map(escapePointer).join('/')}`,
    message: sentence(problem),
    expected: rule,
    ...(found !== undefined && { found }),
    ...(hint && { hint }),
    ...(nearest !== undefined && { nearest }),
    ...(details && { details }),
    ...ends,
    remedy: remedyOf(problem),
  }
}

const escapePointer = (step: string) => step.replaceAll('~', '~0').replaceAll('/', '~1')

/** A workflow command, one line: GitHub shows it next to the line of the file. */
function asAnnotation({ level, problem }: Leveled): string {
  const { code, place, path, ends, details } = problem
  const where = place ? [`file=${place.file}`, `line=${place.line}`, `col=${place.column}`] : []
  const properties = [...where, `title=flow ${code}`].map(escapeProperty).join(',')
  const types = ends ? `\nfrom ${ends.from.end}: ${ends.from.type}\nto ${ends.to.end}: ${ends.to.type}` : ''
  const inside = (details ?? []).map(line => `\n${line}`).join('')
  const text = `${path && `${path}: `}${sentence(problem)}${inside}${types}\nfix: ${remedyOf(problem)}`
  return `::${level} ${properties}::${escapeData(text)}`
}

const escapeData = (text: string) =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')

/** Colons are escaped too, but not the `=` between a property and its value. */
const escapeProperty = (text: string) => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')

/** What to do about a problem, in one line. */
export function remedyOf({ remedy, nearest, code }: Problem): string {
  if (remedy !== undefined) return remedy
  return nearest === undefined ? usual[code] : `write "${nearest}"`
}

const usual: Readonly<Record<ProblemCode, string>> = {
  'unreadable-file': 'give the path of a graph file, seen from the working directory',
  syntax: 'write strict JSON here',
  'duplicate-key': 'keep one of the two, or give one another name',
  structure: 'write what the rule says; an editor that reads schemas/graph.json offers it',
  'unknown-key': 'remove it, or write one of the known keys',
  'missing-key': 'add it',
  'bad-param': 'give a value that the rule allows',
  'missing-param': 'give it on the command line, or add a "default" to the param',
  'unknown-param': 'declare it under "params", or write the name of one that is',
  'unused-param': 'use it, or remove its declaration',
  'bad-set': 'write --set PARAM=VALUE or --set nodes.NAME.config.FIELD=VALUE',
  'bad-plugin': 'install it, or correct its name or path',
  'unknown-operator': 'write one that "flow ops" lists, or name the plugin that holds it under "plugins"',
  'unknown-resource': 'write one that "flow ops" lists, or name the plugin that holds it under "plugins"',
  'unused-resource': 'name it in a config, or remove it',
  'resource-cycle': 'let one of them open without the other',
  'bad-config': 'give a value that the rule allows',
  'unknown-node': 'write the name of a node of this graph',
  'unknown-port': 'write one of its ports; "flow ops" with the name of the operator lists them',
  'kind-mismatch': 'connect an output of the kind that is asked for, or put an operator between the two',
  'dtype-mismatch': 'put an operator between the two that converts',
  'shape-mismatch': 'give both nodes the same setting or model, or put an operator between the two',
  'unconnected-input': 'add it to "from", e.g. "from": { "INPUT": "node.port" }',
  'bad-part': 'correct the list of its nodes',
  'no-wire-form': 'put both nodes into one part',
  'bad-learners': 'use fewer --learners',
  'bad-edge': 'change the settings of the edge',
  cycle: 'give one edge of the cycle an "initial" value',
  'batch-never-fills': 'raise "maxLag", or lower the size of the batch',
  'pair-never-meets': 'drop or collect items before the ways part, or after they meet',
  'bad-sub-graph': 'correct the path, which is relative to this file',
  'bad-extends': 'correct the path, which is relative to this file',
  'bad-variable': 'set it to what the rule says, or unset it',
  'cannot-run': 'mend what it names, or name another',
  'no-memory': 'lower the settings that are named, or take a GPU with more memory',
  'unconnected-output': 'connect it, or remove the node',
  'unread-config': 'remove it, or change the field that decides whether it is read',
  differs: 'give one of them only, or values that agree',
  'doubtful-data': 'mend the data, or leave these rows out',
  'plugin-left-out': 'read its code; then leave out --no-plugins, or name the module with --plugin',
}
