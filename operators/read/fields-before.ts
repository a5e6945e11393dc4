// The fields that questions have where they reach a node, for `flow check`: those of the rows, and those that nodes add.
import type { GraphPart } from '../../engine/operator.ts'
import { readQuestions } from './questions.ts'

/** Operators that leave the fields of a question as they are. */
const passing =
  /^(reward\..+|video\.(decode|sample)|model\.(encode|generate)|group\.(record|keep|best)|grpo\.filter|stream\.(take|filter|replay|sort))$/

/** The names of these fields; undefined where a node on the way may change them, or the rows cannot be read. */
export async function fieldsBefore(
  parts: readonly GraphPart[],
  node: string,
): Promise<ReadonlySet<string> | undefined> {
  const names = new Set<string>()
  const seen = new Set([node])
  const open = partOf(parts, node)?.from.map(nodeOf) ?? []
  for (const name of open) {
    if (seen.has(name)) continue
    seen.add(name)
    const part = partOf(parts, name)
    if (!part) return undefined
    const { type, config, from } = part
    if (type === 'read.questions') {
      // the config was checked against the operator's fields
      const rows = await readQuestions(config as never).catch(() => undefined)
      if (!rows) return undefined
      for (const { value } of rows) for (const field of Object.keys(value.fields)) names.add(field)
    } else if (type === 'group.question') names.add(String(config.field))
    else if (!passing.test(type)) return undefined
    open.push(...from.map(nodeOf))
  }
  return seen.size > 1 ? names : undefined
}

const partOf = (parts: readonly GraphPart[], node: string): GraphPart | undefined =>
  parts.find(({ kind, name }) => kind === 'node' && name === node)

const nodeOf = (end: string): string => end.slice(0, end.lastIndexOf('.'))
