import { RunError } from '../error.ts'
import type { Edge } from './edge.ts'
import type { RunningNode } from './node.ts'
import type { Scheduler } from './scheduler.ts'

/** Ends a run in which nothing can happen any more. */
export class StallWatch {
  readonly #run: { readonly scheduler: Scheduler; fail(error: RunError): void }
  readonly #seconds: number
  #timer: NodeJS.Timeout | undefined

  /** `seconds` without any event, while RxJS holds items that a timer might free, count as a stall. */
  constructor(run: { readonly scheduler: Scheduler; fail(error: RunError): void }, seconds = 60) {
    this.#run = run
    this.#seconds = seconds
  }

  /** Called when no node works and none can be woken. */
  look(nodes: readonly RunningNode[], edges: readonly Edge[]): void {
    const { certain, text } = stallReason(nodes, edges)
    const stalled = () => this.#run.fail(new RunError('stalled', `the run stalled: ${text}`))
    if (certain) {
      stalled()
      return
    }
    // RxJS may hold items until a timer of its own: give it time, and look again
    const { scheduler } = this.#run
    const { wakes } = scheduler
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (scheduler.wakes === wakes) stalled()
    }, this.#seconds * 1000)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
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
