import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { GraphError } from '../../graph/problem.ts'
import { makeFolder } from '../../shared/files.ts'
import { packageFolder } from '../../shared/package-folder.ts'
import { flowCommand, packageName } from '../../shared/package-name.ts'
import { UsageError } from '../arguments.ts'
import { checkpointFlags, newCheckpoint } from '../new-checkpoint.ts'
import { kernelFiles } from '../new-kernel.ts'
import { type ModuleKind, moduleFiles, moduleKinds } from '../new-module.ts'
import { javaScript, type Language, typeFiles, typeScript } from '../new-types.ts'
import { pluginFlag } from '../plug.ts'
import type { Verb } from '../verb.ts'

export const make: Verb = {
  summary: 'Writes a checkpoint, or an operator, reward, loss, tower, graph, preset or kernel.',
  usage: 'operator|reward|loss|tower|graph|preset|kernel NAME | checkpoint',
  flags: {
    out: { value: 'DIR', description: 'Folder to write into (default: the working directory).' },
    ts: { description: 'Writes a plugin and its test in TypeScript (default: JavaScript).' },
    room: {
      value: 'ROOM',
      description: 'Writes a kernel of flow itself into this folder of kernels/, such as elementwise.',
    },
    extends: {
      value: 'GRAPH',
      description: 'For a preset: the graph that it extends, a path or flow:NAME of one in flow/graphs.',
    },
    ...checkpointFlags,
    plugin: pluginFlag,
  },
  example: `npx flow new operator my.shout --out my-operators
npx flow new reward my.brief --ts --out my-rewards
npx flow new loss my.loss --out my-losses
npx flow new tower my-siglip --out my-towers
npx flow new preset my-grpo --extends flow:presets/trl-grpo.json --out my-presets
npx flow new kernel leaky-relu --out my-kernels
npx flow new checkpoint --config builtin:configurations/small.json --out my-model`,
  run: async (words, { print, registry: { problems = [] } }) => {
    if (problems.length > 0) throw new GraphError(problems)
    const [kind, name, ...rest] = words.positional
    const inTypes = words.last('ts') !== undefined
    if (inTypes && untyped.some(one => one === kind))
      throw new UsageError(`--ts: is for a plugin, not for a ${kind}, which is no program`, 'leave it out')
    if (words.positional.join(' ') === 'checkpoint') return newCheckpoint(words, print)
    if ((kind !== 'kernel' && !isModuleKind(kind)) || name === undefined || rest.length > 0)
      throw new UsageError(
        `must be "operator NAME", "reward NAME", "loss NAME", "tower NAME", "graph NAME", "preset NAME", "kernel NAME" or "checkpoint", found ${words.positional.join(' ') || 'nothing'}`,
      )
    const language = inTypes ? typeScript : javaScript
    const { files, test, run } =
      kind === 'kernel'
        ? kernelFiles(name, words.last('room'), words.last('out'), language)
        : moduleFiles(kind, name, words.last('out') ?? '.', words.last('extends'), language)
    const existing = Object.keys(files).find(path => existsSync(path))
    if (existing !== undefined)
      throw new UsageError(
        `${existing}: must not be there yet`,
        'name another folder by --out, or move this file away first',
      )
    const [file = ''] = Object.keys(files)
    const types = inTypes && test.startsWith('node ') ? typeFiles(dirname(file)) : undefined
    for (const [path, text] of Object.entries({ ...files, ...types?.files })) {
      makeFolder(dirname(path))
      writeFileSync(path, text)
      print(`wrote ${path}`)
    }
    print(`test it: ${withFlow(test, file, language)}`)
    if (types) print(`check its types: ${types.check} (npm install --save-dev typescript brings it)`)
    if (run !== undefined) print(`train with it: ${flowCommand} run ${run} --set steps=4 --seed 1`)
    return 0
  },
}

/** What is no program, and so has no types. */
const untyped = ['graph', 'preset', 'checkpoint']

/** Whether Node finds the package from the folder of a new file. */
function findsFlow(file: string): boolean {
  try {
    createRequire(resolve(file)).resolve(`${packageName}/operator`)
    return true
  } catch {
    return false
  }
}

/** The command of a test: flow itself loads what Node does not find, and TypeScript, which Node 20 cannot read. */
function withFlow(test: string, file: string, { ending }: Language): string {
  const isFound = findsFlow(file)
  if (isFound && ending === '.mjs') return test
  const register =
    isFound && findsFlow('here')
      ? `${packageName}/register`
      : join(packageFolder, 'dist/engine/graph/register.js')
  return test.replace(/^node /, `node --import ${register} `)
}

const isModuleKind = (kind: string | undefined): kind is ModuleKind => moduleKinds.some(each => each === kind)
