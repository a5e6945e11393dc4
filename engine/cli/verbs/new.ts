import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { GraphError } from '../../graph/problem.ts'
import { makeFolder } from '../../shared/files.ts'
import { packageFolder } from '../../shared/package-folder.ts'
import { packageName } from '../../shared/package-name.ts'
import { UsageError } from '../arguments.ts'
import { checkpointFlags, newCheckpoint } from '../new-checkpoint.ts'
import { kernelFiles } from '../new-kernel.ts'
import { type ModuleKind, moduleFiles, moduleKinds } from '../new-module.ts'
import { pluginFlag } from '../plug.ts'
import type { Verb } from '../verb.ts'

export const make: Verb = {
  summary: 'Writes a checkpoint, or an operator, reward, tower, graph, preset or kernel.',
  usage: 'operator|reward|tower|graph|preset|kernel NAME | checkpoint',
  flags: {
    out: { value: 'DIR', description: 'Folder to write into (default: the working directory).' },
    room: {
      value: 'ROOM',
      description:
        'For a kernel of flow itself: the folder of kernels/ that holds it (default: elementwise).',
    },
    extends: {
      value: 'GRAPH',
      description: 'For a preset: the graph that it extends, a path or flow:NAME of one in flow/graphs.',
    },
    ...checkpointFlags,
    plugin: pluginFlag,
  },
  example: `npx flow new operator my.shout --out my-operators
npx flow new reward my.brief --out my-rewards
npx flow new tower my-siglip --out my-towers
npx flow new preset my-grpo --extends flow:presets/trl-grpo.json --out my-presets
npx flow new kernel leaky-relu --out my-kernels
npx flow new checkpoint --config builtin:configurations/small.json --out my-model`,
  run: async (words, { print, registry: { problems = [] } }) => {
    if (problems.length > 0) throw new GraphError(problems)
    if (words.positional.join(' ') === 'checkpoint') return newCheckpoint(words, print)
    const [kind, name, ...rest] = words.positional
    if ((kind !== 'kernel' && !isModuleKind(kind)) || name === undefined || rest.length > 0)
      throw new UsageError(
        `must be "operator NAME", "reward NAME", "tower NAME", "graph NAME", "preset NAME", "kernel NAME" or "checkpoint", found ${words.positional.join(' ') || 'nothing'}`,
      )
    const { files, test } =
      kind === 'kernel'
        ? kernelFiles(name, words.last('room'), words.last('out'))
        : moduleFiles(kind, name, words.last('out') ?? '.', words.last('extends'))
    const existing = Object.keys(files).find(path => existsSync(path))
    if (existing !== undefined) throw new UsageError(`${existing}: must not be there yet`)
    for (const [path, text] of Object.entries(files)) {
      makeFolder(dirname(path))
      writeFileSync(path, text)
      print(`wrote ${path}`)
    }
    const [file = ''] = Object.keys(files)
    print(`test it: ${findsFlow(file) ? test : withFlow(test)}`)
    return 0
  },
}

/** Whether Node finds the package from the folder of a new file. */
function findsFlow(file: string): boolean {
  try {
    createRequire(resolve(file)).resolve(`${packageName}/operator`)
    return true
  } catch {
    return false
  }
}

/** The command that runs a test where Node does not find the package: with the program that wrote the test. */
const withFlow = (test: string): string =>
  test.replace(/^node /, `node --import ${join(packageFolder, 'dist/engine/graph/register.js')} `)

const isModuleKind = (kind: string | undefined): kind is ModuleKind => moduleKinds.some(each => each === kind)
