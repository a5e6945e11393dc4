import { inScope } from '../graph/checks/resources.ts'
import { asInGraph } from '../graph/flatten/param-at.ts'
import type { PlannedResource } from '../graph/plan.ts'
import { messageOf } from '../shared/errors.ts'
import { RunError } from './error.ts'
import { resourceContext, type Services } from './node/context.ts'

/** The opened resources of a run. */
export class Resources {
  readonly #planned: readonly PlannedResource[]
  readonly #opened = new Map<string, unknown>()

  constructor(planned: readonly PlannedResource[]) {
    this.#planned = planned
  }

  /** The resource that a name refers to in this scope. */
  find(name: string, scope: string): unknown {
    const planned = inScope(name, scope, this.#planned)
    if (planned && this.#opened.has(planned.name)) return this.#opened.get(planned.name)
    throw new RunError('operator-misused', `no resource "${name}": name it in a config field with "resource"`)
  }

  /** Opens all in order until the signal is aborted; `restore` is called after each. */
  async open(
    services: Services,
    signal: AbortSignal,
    restore: (name: string) => Promise<void>,
  ): Promise<void> {
    for (const { name, scope, resourceName, resource, config, at } of this.#planned) {
      if (signal.aborted) return
      const begin = performance.now()
      const context = resourceContext({ kind: 'resource', name, scope, signal }, services)
      try {
        const value = await services.lifetimes.open(
          `resource "${name}"`,
          () => resource.open(config, context),
          value => resource.close(value),
        )
        this.#opened.set(name, value)
        await restore(name)
        const seconds = ((performance.now() - begin) / 1000).toFixed(1)
        services.log(`${name}: opened (${resourceName}) in ${seconds} s`, 'debug', name)
      } catch (error) {
        const message = asInGraph(messageOf(error), at, resource.config)
        throw new RunError('resource-failed', `resource "${name}" (${resourceName}): ${message}`, {
          node: name,
          cause: error,
        })
      }
    }
  }
}
