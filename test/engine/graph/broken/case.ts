/** A graph that must not run, and the problems that are reported. */
export interface Case {
  name: string
  text: string
  set?: readonly string[]
  environment?: Record<string, string>
  problems: readonly string[]
}

/** A graph's text, one line a part, so that positions are easy to read. */
export const graph = (nodes: readonly string[], before: readonly string[] = []) =>
  [
    '{',
    '  "version": 1, "summary": "S.",',
    ...before.map(line => `  ${line},`),
    '  "nodes": {',
    nodes.map(line => `    ${line}`).join(',\n'),
    '  }',
    '}',
  ].join('\n')

export const count = '"count": { "operator": "range", "config": { "count": 3 } }'
export const end = '"end": { "operator": "collect", "from": { "items": "count.numbers" } }'
export const worker = (rest: string) => `"work": { "operator": "work", ${rest} }`
export const takes = '"from": { "numbers": "count.numbers" }'
