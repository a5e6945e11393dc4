import { readFileSync, statSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { create, globals } from 'webgpu'
import { dawnFlags } from './adapters/dawn-flags.ts'
import { choiceOf, isPlace, listAdapters, placed } from './adapters/list.ts'
import { pollGently } from './polling.ts'
import type { Source } from './source-place.ts'
import { joinLine } from './turn-line.ts'
import type { WebGpu } from './web-gpu.ts'

// What create() returns must stay referenced as long as the process lives, else Node crashes at random.
const instances = new Map<string, GPU>()
/** What a number or a PCI id means; listing takes a process. */
const choices = new Map<string, Choice>()
type Choice = ReturnType<typeof choiceOf>

/** Dawn, through its package for Node. */
export const webGpu: WebGpu = {
  async adapter(wanted, trusted) {
    const choice = wanted !== undefined && isPlace(wanted) ? choose(wanted) : undefined
    const key = `${wanted ?? ''} ${trusted}`
    // Vulkan reads its variables here; processes that are started later must not have them.
    return under(choice?.variables ?? {}, () => {
      const gpu = instances.get(key) ?? open(choice?.name ?? wanted, trusted)
      instances.set(key, gpu)
      return gpu.requestAdapter({ powerPreference: 'high-performance' })
    })
  },
  setting: name => process.env[name],
  source: sourceOf,
  remedy:
    'install a Vulkan driver that Dawn accepts (Debian 12: mesa-vulkan-drivers from bookworm-backports; `npm start` does it)',
  line: () => (process.env.FLOW_TURNS ? joinLine(process.env.FLOW_TURNS) : undefined),
  opened: pollGently,
}

function open(name: string | undefined, trusted: boolean): GPU {
  Object.assign(globalThis, globals)
  return create([...dawnFlags(trusted), ...(name ? [`adapter=${name}`] : [])])
}

/** An adapter by its number or PCI id. */
function choose(wanted: string): Choice {
  const choice = choices.get(wanted) ?? choiceOf(placed(wanted, listAdapters()))
  choices.set(wanted, choice)
  return choice
}

/** Does work that reads the environment before its first wait. */
function under<T>(variables: Readonly<Record<string, string>>, work: () => T): T {
  const before = Object.keys(variables).map(name => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  try {
    return work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** A file by its path, or beside another one, with its path as seen from the working directory. */
function sourceOf(file: string, beside?: string): Source | undefined {
  const path = beside === undefined ? file : resolve(dirname(beside), file)
  try {
    if (statSync(path).size > largestSource) return undefined
    const near = relative('', path)
    return { path, shown: near.startsWith('..') ? path : near, text: readFileSync(path, 'utf8') }
  } catch {
    return undefined // it is only named there, or of a program that is not here any more
  }
}

const largestSource = 2 ** 20
