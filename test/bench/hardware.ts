// npm run bench -- hardware: what fits in which GPU at the released size, by the plans of `flow explain`; no device is used.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { registry } from '../../engine/cli/registry.ts'
import { loadGraph } from '../../engine/graph/check.ts'
import { planMemory } from '../../engine/graph/memory.ts'
import { resolvePath } from '../../operators/builtin.ts'
import { repository } from '../fixtures.ts'
import { releasedConfig } from './released.ts'

/** GPUs by their memory in gigabytes: e.g. RTX 4090, L40S, A100 or H100, H200. */
const gpus = [24, 48, 80, 141] as const

/** Share of a GPU that a plan may fill: the driver, the window system and fragments of free memory take the rest. */
const usable = 0.95

interface Work {
  name: string
  graph: string
  set: readonly string[]
}

const published = {
  graph: 'graphs/presets/published.json',
  name: 'GRPO as published: 8 prompts of 8 completions',
}
const coldstart = { graph: 'graphs/coldstart.json', name: 'cold start, 4 passes in an update' }
const frames = 'frames=16'

const works: readonly Work[] = [
  { graph: 'graphs/infer.json', name: 'one question', set: [frames, 'video=clip.mp4', 'question=Which?'] },
  {
    graph: 'graphs/infer.json',
    name: 'one question',
    set: [frames, 'weights=int4', 'video=clip.mp4', 'question=Which?'],
  },
  { graph: 'graphs/eval/mvbench.json', name: 'a benchmark', set: [frames, 'data=.', 'out=results'] },
  { ...published, set: [] },
  { ...published, set: ['recompute=full'] },
  { ...published, set: ['recompute=full', 'nodes.update.config.beta=0'] },
  { ...published, set: ['lora=16'] },
  { ...published, set: ['lora=16', 'recompute=full'] },
  { ...published, set: ['lora=16', 'recompute=full', 'weights=int4'] },
  { ...coldstart, set: [frames] },
  { ...coldstart, set: [frames, 'recompute=full'] },
  { ...coldstart, set: [frames, 'lora=16'] },
  { ...coldstart, set: [frames, 'lora=16', 'recompute=full'] },
]

/** The rows of the table: work, settings, planned gigabytes, and the GPUs that have them. */
export function hardwareRows(): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'flow-hardware-'))
  try {
    copyFileSync(resolvePath(releasedConfig), join(folder, 'config.json'))
    return works.map(({ name, graph, set }) => {
      const given = [`model=${folder}`, ...set]
      const plan = loadGraph(join(repository, graph), registry, { set: given })
      const { bytes, unknown } = planMemory(plan)
      const fault = unknown.find(({ part }) => plan.resources.some(({ name }) => name === part))
      if (fault) throw new Error(`${graph}: the memory of ${fault.part} is not known: ${fault.why}`)
      const fits = gpus.map(gigabytes => (bytes <= usable * gigabytes * 1e9 ? 'yes' : 'no'))
      const shown = set.filter(one => !/^(video|question|data|out)=/.test(one)).join(' ')
      return [name, shown === '' ? '' : `\`${shown}\``, (bytes / 1e9).toFixed(1), ...fits]
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The table in Markdown. */
export function hardwareLines(): string[] {
  const head = [
    'work at the released size, float16 products',
    'settings',
    'GB planned',
    ...gpus.map(size => `${size} GB`),
  ]
  return [head, head.map(() => '---'), ...hardwareRows()].map(cells => `| ${cells.join(' | ')} |`)
}
