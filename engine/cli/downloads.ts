import { type FileProgress, fetchRepository } from '../../operators/hub/fetch-repository.ts'
import { hubIdOf, pinnedRevisions, usePins } from '../../operators/hub/hub-cache.ts'
import { HubError } from '../../operators/hub/hub-error.ts'
import type { HubKind } from '../../operators/hub/hub-id.ts'
import type { Plan } from '../graph/plan.ts'
import { showBytes } from '../shared/bytes.ts'
import { messageOf } from '../shared/errors.ts'
import { visible } from '../shared/visible.ts'
import { nearPath } from './inspection/named-paths.ts'
import type { Screen } from './progress.ts'

/** A Hugging Face id in a config, and the part that reads it. */
export interface NamedRepository {
  part: string
  text: string
  kind: HubKind
}

/** The texts in a plan that are Hugging Face ids: those of fields that read, unless a file has this name. */
export function repositoriesOf({ nodes, resources }: Plan): NamedRepository[] {
  const parts = [
    ...nodes.map(({ name, config, operator }) => ({ part: name, config, fields: operator.config })),
    ...resources.map(({ name, config, resource }) => ({ part: name, config, fields: resource.config })),
  ]
  return parts.flatMap(({ part, config, fields }) =>
    Object.entries(fields).flatMap(([name, field]) => {
      const text = config[name]
      if (field.type !== 'string' || !field.reads || typeof text !== 'string' || text.startsWith('builtin:'))
        return []
      return hubIdOf(text, field.reads) ? [{ part, text, kind: field.reads }] : []
    }),
  )
}

/** Downloads what a plan names on the hub, in the revisions of the run that is continued; returns the revisions. */
export async function downloadNamed(
  plan: Plan,
  facts: Readonly<Record<string, unknown>> | undefined,
  { screen, say }: { screen: Screen; say: (line: string) => void },
): Promise<Record<string, unknown>> {
  usePins(facts?.hub)
  const done = new Set<string>()
  for (const { part, text, kind } of repositoriesOf(plan)) {
    const id = hubIdOf(text, kind)
    if (!id || done.has(`${kind} ${text}`)) continue
    done.add(`${kind} ${text}`)
    const line = downloadLine(screen)
    try {
      await fetchRepository(id, { onProgress: line.show, say })
    } catch (error) {
      const known = error instanceof HubError ? error : undefined
      if (!known) throw error
      throw new HubError(
        known.code,
        `${part}: ${text}: no file or folder of this name${nearPath(text)}; as a Hugging Face id: ${messageOf(error)}`,
      )
    } finally {
      line.end()
    }
  }
  return done.size > 0 ? { hub: pinnedRevisions() } : {}
}

/** Time between two lines where the output is no terminal. */
const quietMs = 5_000

function downloadLine(screen: Screen): { show(progress: FileProgress): void; end(): void } {
  let shownAt = Number.NEGATIVE_INFINITY
  let open = false
  return {
    show({ name, bytes, size, file, files }) {
      const now = performance.now()
      const isLast = bytes === size && file === files
      if (!isLast && now - shownAt < (screen.isTTY ? 200 : quietMs)) return
      shownAt = now
      const text = `downloading ${visible(name)}  ${showBytes(bytes)} of ${showBytes(size)}  file ${file}/${files}`
      screen.write(screen.isTTY ? `\r\x1b[2K${text.slice(0, (screen.columns ?? 80) - 1)}` : `${text}\n`)
      open = screen.isTTY === true
    },
    end() {
      if (open) screen.write('\n')
    },
  }
}
