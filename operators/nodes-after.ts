import type { GraphPart } from '../engine/operator.ts'

/** The nodes that items of a node reach. */
export function nodesAfter(name: string, parts: readonly GraphPart[]): GraphPart[] {
  const reached = new Set([name])
  for (let size = 0; size < reached.size; ) {
    size = reached.size
    for (const part of parts)
      if (part.from.some(end => reached.has(end.slice(0, end.lastIndexOf('.'))))) reached.add(part.name)
  }
  return parts.filter(part => part.name !== name && part.kind === 'node' && reached.has(part.name))
}
