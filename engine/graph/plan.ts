import type { Config, Fields, GraphPart, Operator, Resource } from '../operator.ts'
import type { WireForm } from '../wire-form.ts'
import type { EdgeTypes } from './checks/types.ts'
import type { Schema } from './file/schema.ts'
import type { Cadence, Locator, OnError, Wire } from './flatten/flat.ts'
import { settingAt } from './flatten/param-at.ts'
import type { Problem } from './problem.ts'
import type { Secrets } from './secrets.ts'

/** The operators and resources that graphs may name. */
export interface Registry {
  readonly operators: Readonly<Record<string, Operator>>
  readonly resources: Readonly<Record<string, Resource>>
  /** What operators look up by name in files other than graphs, by title: e.g. the towers that a checkpoint may name. */
  readonly parts?: PartTables
  /** What the items of a kind must be, as JSON Schema: checked where they come from an output of kind `any`. */
  readonly kinds?: Readonly<Record<string, Schema>>
  /** The module of each operator that came from a plugin, as its URL. */
  readonly modules?: Readonly<Record<string, string>>
  /** How values of a kind travel between processes; a kind that is missing cannot. */
  readonly forms?: Readonly<Record<string, WireForm>>
  /** Faults of plugins that should have added to it: reported with every graph. */
  readonly problems?: readonly Problem[]
  /** What is missing from it by the user's wish: reported with every graph too. */
  readonly warnings?: readonly Problem[]
}

/** Tables of parts by title. A plugin adds to them when it is loaded: a part is there for all that the process reads afterwards. */
export type PartTables = Readonly<Record<string, Map<string, NamedPart>>>

export interface NamedPart {
  readonly summary: string
  /** Makes the part from the file that names it. */
  readonly parse: (...from: never[]) => unknown
}

/** A graph that may run: checked, with all defaults filled in. */
export interface Plan {
  readonly file: string
  /** The text of every graph file that was read: `file`, those that it extends and its sub-graphs. */
  readonly sources: ReadonlyMap<string, string>
  readonly summary: string
  readonly params: Readonly<Record<string, unknown>>
  readonly nodes: readonly PlannedNode[]
  /** In the order in which they open: a resource comes after those that its config names. */
  readonly resources: readonly PlannedResource[]
  /** When the run writes checkpoints; undefined: never. */
  readonly checkpoint?: Cadence
  /** Groups of nodes that other processes may run. */
  readonly parts: readonly PlannedPart[]
  /** The types of the edges. */
  readonly types: EdgeTypes
  /** The graph with params put in, as the manifest keeps it. */
  readonly shown: unknown
  /** Values that no file or message of a run may show. */
  readonly secrets: Secrets
}

export interface PlannedPart {
  readonly name: string
  /** Names of its nodes. */
  readonly nodes: ReadonlySet<string>
  /** Items that all its workers together may hold unfinished. */
  readonly credits: number
  /** Why it cannot run in several processes, though it can in one. */
  readonly obstacles: readonly Problem[]
}

export interface PlannedNode {
  readonly name: string
  /** Prefix of the sub-graph that it is in: names of resources are looked up there first. */
  readonly scope: string
  readonly operatorName: string
  readonly operator: Operator
  readonly config: Config<Fields>
  readonly onError: OnError
  /** Items worked on at the same time, instead of the number that the operator asks for. */
  readonly parallel?: number
  readonly wires: readonly Wire[]
  /** Of an input that items of any kind reach: what is wrong with an item, or undefined. */
  readonly accepts?: Readonly<Record<string, KindCheck>>
  /** Of an operator of a plugin: its module as a URL, and by output what is wrong with an item, or undefined. */
  readonly plugin?: { readonly module: string; readonly emits: Readonly<Record<string, KindCheck>> }
  /** Where the node is in a file, for messages. A node that stands for a part is in no file. */
  readonly at?: Locator
  /** Only in a node that stands for a part: copies what other nodes change in place, and says whether a copy is being made. */
  readonly copier?: Copier
}

/** Copies what nodes change in place, for other processes. */
export interface Copier {
  readonly busy: boolean
  /** Called when it has ended. */
  readonly onIdle: (() => void)[]
}

/** Says in words what keeps a value from being of a kind; fills in defaults. */
export type KindCheck = (value: unknown) => string | undefined

export interface PlannedResource {
  readonly name: string
  /** Prefix of the sub-graph that it is in: names of resources are looked up there first. */
  readonly scope: string
  readonly resourceName: string
  readonly resource: Resource
  readonly config: Config<Fields>
  readonly at: Locator
}

/** The nodes and resources of a plan, as operators see them. */
export function partsOf({ nodes, resources }: Plan): GraphPart[] {
  return [
    ...nodes.map(({ name, scope, operatorName: type, config, wires, at }): GraphPart => {
      const from = wires.map(wire => `${wire.from.node}.${wire.from.port}`)
      return { kind: 'node', name, scope, type, config, from, setting: settingOf(`nodes.${name}`, at) }
    }),
    ...resources.map(({ name, scope, resourceName: type, config, at }): GraphPart => {
      return {
        kind: 'resource',
        name,
        scope,
        type,
        config,
        from: [],
        setting: settingOf(`resources.${name}`, at),
      }
    }),
  ]
}

/** How `--set` names the fields of a node or a resource; `at` is undefined for a node that stands for a part of the run: no graph file holds it. */
export const settingOf = (path: string, at: Locator | undefined) => (field: string) =>
  at ? settingAt(at, ['config', field]) : `${path}.config.${field}`
