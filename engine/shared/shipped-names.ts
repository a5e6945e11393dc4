import { existsSync } from '../platform/files.ts'
import { extname, join } from '../platform/paths.ts'
import { inside, isInside } from './inside.ts'
import { packageFolder } from './package-folder.ts'

const shippedGraphs = join(packageFolder, 'graphs/')

/**
 * A text for people, with graphs of the package as commands name them: `flow:grpo.json`. The paths of folders and of other files there
 * stay as they are, since only graphs can be named so.
 */
export const withShippedNames = (text: string): string =>
  text
    .split(shippedGraphs)
    .reduce(
      (told, rest) =>
        told + (namesGraph(/^[^\s"':;,()]*/.exec(rest)?.[0] ?? '') ? 'flow:' : shippedGraphs) + rest,
    )

/** A name without an ending may be that of a graph that is not there. */
function namesGraph(name: string): boolean {
  const ending = extname(name)
  if (ending !== '') return ending === '.json'
  return isInside(name) && !existsSync(inside(shippedGraphs, name)) && !/\.\w+\//.test(name)
}
