import { join } from 'node:path'
import { packageFolder } from '../shared/package-folder.ts'

const shippedGraphs = join(packageFolder, 'graphs/')

/** A text for people, with graphs of the package as commands name them: `flow:grpo.json`. */
export const withShippedNames = (text: string): string => text.replaceAll(shippedGraphs, 'flow:')
