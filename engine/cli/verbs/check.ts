import { DeviceError } from '../../../kernels/device/device-error.ts'
import { checkGraph } from '../../graph/check.ts'
import type { Problem } from '../../graph/problem.ts'
import { type ReportFormat, report } from '../../graph/problem-report.ts'
import { readBytes } from '../../shared/bytes.ts'
import { withShippedNames } from '../../shared/shipped-names.ts'
import { type Arguments, onlyWord, UsageError } from '../arguments.ts'
import { type GpuMemory, gpuMemory } from '../inspection/gpu-memory.ts'
import { inspectGraph } from '../inspection/inspect-graph.ts'
import { learnersFlag, readLearners } from '../learners.ts'
import { pluginFlags } from '../plug.ts'
import { gpuFlag, setFlag, type Verb, type World } from '../verb.ts'

const formats = ['text', 'json', 'github'] as const satisfies readonly ReportFormat[]

export const check: Verb = {
  summary: 'Reports every problem of a graph, its models and its data, without running it.',
  usage: 'GRAPH',
  loads: 'graphs',
  flags: {
    set: setFlag,
    ...pluginFlags,
    learners: learnersFlag,
    memory: {
      value: 'BYTES',
      description:
        'GPU memory that must be enough for the graph, e.g. 24GB (default: what this machine has).',
    },
    ...gpuFlag,
    format: {
      value: 'FORMAT',
      choices: formats,
      description: 'text (the default), json: a list of problems, or github: annotations for a workflow.',
    },
  },
  example: 'npx flow check flow:grpo.json --set group=4',
  run: async (words, world) => {
    const { registry, environment, print, complain } = world
    const file = onlyWord(words, 'graph file')
    const format = formats.find(name => name === words.last('format')) ?? 'text'
    const { memory, unknown } = memoryOf(words, environment)
    const learners = readLearners(words) ?? 1
    const checked = checkGraph(file, registry, { set: words.all('set'), environment, learners })
    const { plan } = checked
    const inspected = plan && (await inspectGraph(plan, { memory, learners, registry, environment }))
    const problems = [...unknown, ...checked.problems, ...(inspected?.problems ?? [])]
    const warnings = [...checked.warnings, ...(inspected?.warnings ?? [])]
    const text = report(problems, warnings, format)
    const isFine = problems.length === 0
    const isOfSome = problems.every(problem => problem.isOfSome)
    // programs read standard output
    if (format !== 'text') print(text)
    else {
      if (text !== '') complain(text)
      for (const line of inspected?.remarks ?? []) print(line)
      const unchecked = inspected?.unchecked ?? []
      for (const line of unchecked) print(`not checked: ${line}`)
      if (plan) {
        const edges = plan.nodes.reduce((sum, node) => sum + node.wires.length, 0)
        const size = `${plan.nodes.length} nodes, ${edges} edges, ${plan.resources.length} resources`
        const ok = unchecked.length === 0 ? 'ok' : 'ok as far as it was checked'
        if (isFine) print(withShippedNames(`${file}: ${ok}, ${size}`))
        else complain(`${file}: a run ${isOfSome ? 'that reaches these items ' : ''}would fail`)
      }
    }
    return isFine ? 0 : 2
  },
}

/** The memory that counts, and what is wrong with the number or PCI id of the GPU that it would be of. */
function memoryOf(
  words: Arguments,
  environment: World['environment'],
): { memory: GpuMemory | undefined; unknown: Problem[] } {
  try {
    return { memory: statedMemory(words) ?? gpuMemory(environment), unknown: [] }
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error
    const problem: Problem = {
      code: 'bad-variable',
      path: words.last('gpu') === undefined ? 'FLOW_ADAPTER' : '--gpu',
      rule: 'must name a GPU of this machine',
      found: JSON.stringify(environment.FLOW_ADAPTER),
      details: [error.message],
      remedy: 'give a number, a PCI id or part of a name that "npx flow adapters" shows',
    }
    return { memory: undefined, unknown: [problem] }
  }
}

function statedMemory(words: Arguments): GpuMemory | undefined {
  const text = words.last('memory')
  if (text === undefined) return undefined
  const bytes = readBytes(text)
  if (bytes === undefined) throw new UsageError(`--memory: must be bytes such as 24GB, found "${text}"`)
  return { name: '--memory', bytes }
}
