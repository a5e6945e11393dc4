import { readFileSync } from 'node:fs'
import { checkGraph } from '../graph/check.ts'
import { inheritedBy } from '../graph/file/extends.ts'
import type { Registry } from '../graph/plan.ts'
import { report } from '../graph/problem-report.ts'
import type { Fields, Port } from '../operator.ts'
import { CodedError } from '../shared/errors.ts'
import { isObject } from '../shared/json.ts'
import { replaceFile } from '../shared/replace-file.ts'
import type { Editor } from './view-options.ts'

export interface EditorOptions {
  file: string
  registry: Registry
  environment: Readonly<Record<string, string | undefined>>
  /** The page may save the file and run it. */
  mayWrite: boolean
  /** Starts a run of the file; returns the run's folder. */
  start(): string
}

/** What the page offers: operators and resources with their settings and ports. */
export interface Catalogue {
  operators: Readonly<Record<string, Offered>>
  resources: Readonly<Record<string, Pick<Offered, 'summary' | 'config'>>>
}

export interface Offered {
  summary: string
  config: Fields
  /** Kinds by port. */
  inputs: Readonly<Record<string, string>>
  outputs: Readonly<Record<string, string>>
}

export interface Opened {
  text: string
  mayWrite: boolean
  catalogue: Catalogue
}

/** What `flow check --format json` says of a problem. */
export interface Found {
  level: string
  code: string
  path: string
  message: string
  remedy: string
  line?: number
  column?: number
  file?: string
}

export interface Checked {
  found: readonly Found[]
  /** The graph that the text extends; null where it extends none. */
  inherited: Readonly<Record<string, unknown>> | null
}

/** The server's side of the editor: it checks a text as `flow check` does, saves it and runs it. */
export function openEditor({ file, registry, environment, mayWrite, start }: EditorOptions): Editor {
  const opened = (): Opened => ({
    text: readFileSync(file, 'utf8'),
    mayWrite,
    catalogue: catalogueOf(registry),
  })
  const refuseUnlessAllowed = () => {
    if (!mayWrite) throw new CodedError('forbidden', 'the view was started without --edit')
  }
  const check = (text: string): Checked => {
    const read = (name: string) => (name === file ? text : readFileSync(name, 'utf8'))
    const { problems, warnings } = checkGraph(file, registry, { environment, read })
    return {
      found: JSON.parse(report(problems, warnings, 'json')) as Found[],
      inherited: inheritedBy(file, text, read) ?? null,
    }
  }
  const save = (text: string, before: string): object => {
    refuseUnlessAllowed()
    if (readFileSync(file, 'utf8') !== before)
      throw new CodedError(
        'changed',
        `${file}: must be as it was when it was opened; another program changed it`,
      )
    replaceFile(file, text)
    return {}
  }
  const run = (): object => {
    refuseUnlessAllowed()
    return { run: start() }
  }
  return {
    file,
    answer: async (name, body) => {
      const { text, before } = isObject(body) ? body : {}
      if (name === 'open') return opened()
      if (name === 'run') return run()
      if (typeof text !== 'string') throw new CodedError('unknown', 'the request must have a text')
      if (name === 'check') return check(text)
      if (name === 'save' && typeof before === 'string') return save(text, before)
      throw new CodedError('unknown', `no such request: ${name}`)
    },
  }
}

function catalogueOf({ operators, resources }: Registry): Catalogue {
  return {
    operators: Object.fromEntries(
      Object.entries(operators).map(([name, { summary, config, inputs, outputs }]) => [
        name,
        { summary, config, inputs: kindsOf(inputs), outputs: kindsOf(outputs) },
      ]),
    ),
    resources: Object.fromEntries(
      Object.entries(resources).map(([name, { summary, config }]) => [name, { summary, config }]),
    ),
  }
}

const kindsOf = (ports: Readonly<Record<string, Port>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, typeof port === 'string' ? port : port.kind]),
  )
