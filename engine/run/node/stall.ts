import type { LogLevel } from '../../operator.ts'
import { clock } from '../../platform/clock.ts'
import { processes } from '../../platform/processes.ts'
import { RunError } from '../error.ts'
import type { Edge } from './edge.ts'
import type { RunningNode } from './node.ts'
import type { Scheduler } from './scheduler.ts'

interface StallingRun {
  readonly scheduler: Scheduler
  log(text: string, level: LogLevel, node: string): void
  fail(error: RunError): void
}

/** After this number of silent periods work that only a timer could still end counts as work that never ends. */
const longestSilence = 10

/** Ends a run in which nothing can happen any more. */
export class StallWatch {
  readonly #run: StallingRun
  readonly #seconds: number
  #timer: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined

  /** `seconds` without any event, while RxJS holds items that a timer might free, count as a stall. */
  constructor(run: StallingRun, seconds = 60) {
    this.#run = run
    this.#seconds = seconds
  }

  /** Called when no node works and none can be woken. */
  look(nodes: readonly RunningNode[], edges: readonly Edge[]): void {
    if (stallReason(nodes, edges).certain) {
      this.end(nodes, edges)
      return
    }
    // RxJS may hold items until a timer of its own: give it time, and look again
    const { scheduler } = this.#run
    const { wakes } = scheduler
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (scheduler.wakes === wakes) this.end(nodes, edges)
    }, this.#seconds * 1000)
    clock.letGo(this.#timer)
  }

  /** Looks after work that goes on while nothing else happens: tells of it, and ends the run when it can never end. */
  watch(nodes: readonly RunningNode[]): void {
    const { scheduler, log, fail } = this.#run
    let wakes = scheduler.wakes
    let silent = 0
    this.#watch = setInterval(() => {
      const isSilent = scheduler.wakes === wakes
      wakes = scheduler.wakes
      const node = nodes.find(node => node.working > 0)
      silent = isSilent && node && !scheduler.paused ? silent + 1 : 0
      if (!node || silent === 0) return
      if (silent >= longestSilence && processes.onlyTimersLeft()) fail(neverEnds(node))
      else if (Number.isInteger(Math.log2(silent)))
        log(`${workOf(node)} has gone on for ${silent * this.#seconds} s`, 'warn', node.name)
    }, this.#seconds * 1000)
    clock.letGo(this.#watch)
  }

  /** Ends the run: its error names work that never ends, or what waits for what. */
  end(nodes: readonly RunningNode[], edges: readonly Edge[]): void {
    const working = nodes.filter(node => node.working > 0)
    if (working.length === 0)
      this.#run.fail(new RunError('stalled', `the run stalled: ${stallReason(nodes, edges).text}`))
    for (const node of working) this.#run.fail(neverEnds(node))
  }

  close(): void {
    clearTimeout(this.#timer)
    clearInterval(this.#watch)
  }
}

function neverEnds(node: RunningNode): RunError {
  const [item] = node.ownedLeases.all
  const about = { node: node.name, ...(item && { key: item.key, seed: item.seed }) }
  return new RunError('never-settled', `${workOf(node)} never ends: its promise never settles`, about)
}

function workOf({ name, planned, ownedLeases }: RunningNode): string {
  const [item] = ownedLeases.all
  return `node "${name}" (${planned.operatorName}): its work${item ? ` on item "${item.key}"` : ''}`
}

/**
 * Why nothing happens, given that no operator and no source is working. Certain when every node that runs
 * waits for input and holds nothing; otherwise an RxJS operator inside one may still act, by a timer of its own.
 */
function stallReason(
  nodes: readonly RunningNode[],
  edges: readonly Edge[],
): { certain: boolean; text: string } {
  const running = nodes.filter(node => node.state === 'running')
  const heldItems = (node: RunningNode) => node.inputs.reduce((sum, input) => sum + input.outstanding, 0)
  const certain = running.every(
    node => heldItems(node) === 0 && node.inputs.some(input => !input.latest && input.waiting),
  )
  const parts = running.flatMap(node => {
    const full = edges.find(edge => edge.wire.from.node === node.name && !edge.hasRoom())
    if (full) return [`edge ${full.name} is full`]
    return node.inputs.flatMap(input => {
      const port = `"${node.name}.${input.port}"`
      if (input.outstanding >= node.credits) {
        const remedy = 'let its operator declare more `credits`, or release items that it drops'
        return [`${port} holds ${input.outstanding} items and may hold no more (${remedy})`]
      }
      const gate = input.gates.find(gate => !gate.open)
      if (gate && input.edges.some(edge => edge.size > 0)) {
        return [
          `${port} waits for the feedback edge ${gate.edge.name} (maxLag ${gate.edge.wire.maxLag}: a batch after it needs more)`,
        ]
      }
      const waits = input.edges.filter(edge => edge.size > 0)
      return waits.map(edge => `${port} leaves ${edge.size} items on ${edge.name}`)
    })
  })
  const text =
    parts.length > 0
      ? parts.join('; ')
      : `no item reaches ${running.map(node => `"${node.name}"`).join(', ')}`
  return { certain, text }
}
