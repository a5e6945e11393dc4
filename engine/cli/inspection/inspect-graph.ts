import { inspectPlan } from '../../graph/inspect.ts'
import type { Plan, Registry } from '../../graph/plan.ts'
import type { Problem } from '../../graph/problem.ts'
import { showBytes } from '../../shared/bytes.ts'
import { memoryAdvice } from '../memory-advice.ts'
import { bytesOnGpu } from '../process-memory.ts'
import type { GpuMemory } from './gpu-memory.ts'
import { lookAtPath, unwritable } from './named-paths.ts'
import { uncheckedCode } from './unchecked-code.ts'
import { variableProblems } from './variables.ts'

/** Everything that a run of a checked graph would fail on, as far as it can be found without a device. */
export async function inspectGraph(
  plan: Plan,
  {
    memory,
    learners,
    registry,
    environment,
  }: {
    memory: GpuMemory | undefined
    learners: number
    registry: Registry
    environment: Readonly<Record<string, string | undefined>>
  },
) {
  const wrong = await variableProblems(plan, environment, plan.nodes)
  const { remarks, unchecked, problems, warnings } = await inspectPlan(plan, lookAtPath)
  const { remark, problem } = fitIn(plan, memory, bytesOnGpu(plan, { learners }))
  return {
    remarks: remark === undefined ? remarks : [...remarks, remark],
    unchecked: [...unchecked, ...uncheckedCode(plan, registry)],
    problems: [...wrong, ...problems, ...runFolder(), ...(problem ? [problem] : [])],
    warnings,
  }
}

/** A run without `--out` makes its folder here. */
function runFolder(): Problem[] {
  const fault = unwritable('runs', 'folder')
  if (typeof fault !== 'object') return []
  const { rule, lines } = fault
  const remedy = 'run in another working directory, or give --out DIR'
  return [{ code: 'cannot-run', path: 'runs', rule, details: lines, remedy }]
}

function fitIn(
  plan: Plan,
  memory: GpuMemory | undefined,
  bytes: number,
): { remark?: string; problem?: Problem } {
  if (bytes === 0) return {}
  const needed = showBytes(bytes)
  if (!memory) return { remark: `memory: plans ${needed}; what the GPU has is not known` }
  const has = showBytes(memory.bytes)
  const remark = `memory: plans ${needed} of ${has} (${memory.name})`
  if (bytes <= memory.bytes) return { remark }
  const { lines: details, remedy } = memoryAdvice(plan)
  const rule = `must fit into ${has} (${memory.name})`
  return {
    remark,
    problem: { code: 'no-memory', path: plan.file, rule, found: `a plan of ${needed}`, details, remedy },
  }
}
