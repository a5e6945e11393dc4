import type { Field, Fields, Finding, Inspection, Outlines } from '../operator.ts'
import { CodedError, codeOf, messageOf } from '../shared/errors.ts'
import { inScope } from './checks/resources.ts'
import { outlinesOf, sizesOf } from './checks/sizes.ts'
import { problemOf } from './finding-problem.ts'
import { asInGraph } from './flatten/param-at.ts'
import { type Followed, itemsAt, madeOf, UnmadeItem } from './follow.ts'
import { countFindings } from './item-counts.ts'
import { type KindCheck, type Plan, type PlannedNode, type PlannedResource, partsOf } from './plan.ts'
import type { Problem } from './problem.ts'
import { hide, hideIn } from './secrets.ts'
import { raisedBy, shareOf } from './skip-bound.ts'

/** What a look at the data and models of a plan has found, without opening a device. */
export interface Inspected {
  /** Lines for people, each with the name of its part. */
  remarks: string[]
  /** Lines about what could not be looked at, and is there only when the graph runs. */
  unchecked: string[]
  problems: Problem[]
  warnings: Problem[]
  /** The rows of sources that could be read. */
  rows: Map<string, number>
}

/** Looks at the value of a config field: what is wrong, or what will be there only when the graph runs, in words or `later`. */
export type LookAt = (
  name: string,
  field: Field,
  value: string,
) => Omit<Finding, 'field'> | string | 'later' | undefined

/**
 * Looks at everything that the configs of a plan name: the paths of each part by `lookAt`, and what its operator or
 * resource inspects, unless a path of the part is already known to be wrong or will be made later. A brief look takes less than a second.
 */
export async function inspectPlan(plan: Plan, lookAt: LookAt, { isBrief = false } = {}): Promise<Inspected> {
  const found: Inspected = { remarks: [], unchecked: [], problems: [], warnings: [], rows: new Map() }
  const [sizes, outlines] = [sizesOf(plan.resources), outlinesOf(plan.resources)]
  const parts: Part[] = [
    ...plan.resources.map(part => ({ part, type: part.resource })),
    ...plan.nodes.map(part => ({ part, type: part.operator, skips: skipsOf(part, plan.nodes) })),
  ]
  const faulty = new Set<string>()
  const whole = partsOf(plan)
  const knownTo = ({ name, scope }: Part['part']): Outlines => {
    return { sizes: sizes(scope), outline: outlines(scope), isBrief, name, parts: whole }
  }
  /** Sources of which it is told that they end early. */
  const early = new Set<string>()
  for (const { part, type, skips } of parts) {
    // what is wrong with a resource is told once, not of all that use it
    if (namesOneOf(faulty, part, type.config, plan)) continue
    const { findings, unchecked } = await findingsOf(part, type, knownTo(part), lookAt)
    found.unchecked.push(...unchecked.map(line => hide(`${part.name}: ${line}`, plan.secrets)))
    for (const finding of findings) {
      if (typeof finding === 'object' && 'rows' in finding) {
        found.rows.set(part.name, finding.rows)
        continue
      }
      if (typeof finding !== 'string' && finding.endsEarly) early.add(part.name)
      if (typeof finding !== 'string' && finding.endsEarly && isBrief) continue
      if (typeof finding === 'string') found.remarks.push(hide(`${part.name}: ${finding}`, plan.secrets))
      else {
        const needing = neededBy(finding, part, plan.nodes)
        const named = inGraph(finding, part, type.config)
        const told = withSetting(needing ? sharpened(named, needing) : named, plan.nodes)
        const by = needing ?? skips
        const fatal = isFatal(told, by)
        const [problem] = hideIn([problemOf(part, told, fatal ? by : undefined)], plan.secrets)
        if (!problem) continue
        if (fatal) {
          found.problems.push(problem)
          if ('resourceName' in part) faulty.add(part.name)
        } else if (finding.lacks === undefined || !isBrief)
          found.warnings.push({ ...problem, code: 'doubtful-data' })
      }
    }
  }
  const rows = new Map([...found.rows].filter(([name]) => !early.has(name)))
  const isSound = (node: PlannedNode) => !namesOneOf(faulty, node, node.operator.config, plan)
  for (const { node, finding } of countFindings(plan, rows, node => isSound(node) && knownTo(node))) {
    if (typeof finding === 'string') {
      found.remarks.push(hide(`${node.name}: ${finding}`, plan.secrets))
      continue
    }
    const about = parts.find(({ part }) => part.name === finding.part)?.part ?? node
    const told = hideIn([problemOf(about, finding, undefined)], plan.secrets)
    if (!finding.isWarning) found.problems.push(...told)
    else found.warnings.push(...told.map(one => ({ ...one, code: 'doubtful-data' as const })))
  }
  if (!isBrief && found.problems.length === 0) await inspectItems(plan, found)
  return found
}

/** Looks at the items that reach inputs, as far as they can be followed: of their kind, and at nodes that are `pure`. */
async function inspectItems({ nodes, secrets }: Plan, found: Inspected): Promise<void> {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const told = new Set<string>()
  const add = (node: PlannedNode, finding: Finding) => {
    const needing = neededBy(finding, node, nodes)
    const named = inGraph(finding, node, node.operator.config)
    const told = needing ? sharpened(named, needing) : named
    const by = needing ?? node
    const fatal = isFatal(told, by)
    const problem = hideIn([problemOf(node, told, fatal ? by : undefined)], secrets)
    if (fatal) found.problems.push(...problem)
    else found.warnings.push(...problem.map(one => ({ ...one, code: 'doubtful-data' as const })))
  }
  for (const node of nodes)
    for (const port of Object.keys(node.operator.inputs)) {
      const check = node.accepts?.[port]
      const { pure, inspectItems } = node.operator
      if (!check && !pure) continue
      try {
        const items = await itemsAt(node, port, byName)
        if (!items) continue
        const wrong = check && wrongItems(items, check, port)
        if (!wrong && pure) await madeOf(node, items)
        if (wrong) add(node, wrong)
        else
          for (const finding of (await inspectItems?.(items, node.config)) ?? [])
            if (typeof finding !== 'string') {
              if (!('rows' in finding)) add(node, finding)
            } else found.remarks.push(hide(`${node.name}: ${finding}`, secrets))
      } catch (error) {
        if (!(error instanceof UnmadeItem)) throw error
        // later nodes meet the same item
        if (told.has(error.node.name)) continue
        told.add(error.node.name)
        const finding = thrown(error.cause, error.node.config, error.node.operator.config)
        add(error.node, { ...finding, lines: finding.lines.map(line => `${error.message}: ${line}`) })
      }
    }
}

/** A finding about the items that are not of the kind of an input. */
function wrongItems(items: readonly Followed[], check: KindCheck, port: string): Finding | undefined {
  const lines = items.flatMap(({ value, place, key }) => {
    const fault = check(value)
    return fault === undefined ? [] : [`${place ?? `item ${key}`}: ${fault}`]
  })
  if (lines.length === 0) return undefined
  return {
    field: '',
    rule: `must get items of the kind of its input "${port}": ${lines.length} of ${items.length} are not`,
    lines,
    code: 'wrong-kind',
    remedy: 'make the fields that are missing with stream.map, or mend the rows',
    failing: { items: lines.length, of: items.length },
  }
}

/** Whether a config names one of these resources. */
function namesOneOf(
  names: ReadonlySet<string>,
  { config, scope }: Part['part'],
  fields: Fields,
  { resources }: Plan,
): boolean {
  return Object.entries(fields).some(([key, field]) => {
    const value = config[key]
    if (field.type !== 'string' || field.resource === undefined || typeof value !== 'string') return false
    return names.has(inScope(value, scope, resources)?.name ?? '')
  })
}

interface Part {
  part: PlannedNode | PlannedResource
  type: { config: Fields; inspect?(config: PlannedNode['config'], known: Outlines): Inspection }
  /** Of a node, the one that may skip the smallest share of its items; undefined when none works on them. */
  skips?: PlannedNode | undefined
}

async function findingsOf(
  { config }: Part['part'],
  type: Part['type'],
  known: Outlines,
  lookAt: LookAt,
): Promise<{ findings: Awaited<Inspection>; unchecked: readonly string[] }> {
  const findings: Finding[] = []
  const unchecked: string[] = []
  let isLater = false
  for (const [field, declared] of Object.entries(type.config)) {
    const value = config[field]
    if (typeof value !== 'string') continue
    const seen = lookAt(field, declared, value)
    if (seen === 'later') isLater = true
    else if (typeof seen === 'string') {
      isLater = true
      unchecked.push(seen)
    } else if (seen) findings.push({ field, ...seen })
  }
  if (isLater || findings.length > 0 || !type.inspect) return { findings, unchecked }
  try {
    return { findings: await type.inspect(config, known), unchecked }
  } catch (error) {
    return { findings: [thrown(error, config, type.config)], unchecked }
  }
}

/** What is thrown is about the field or the path that its message begins with, the path that is read, or all of the config. */
function thrown(error: unknown, config: PlannedNode['config'], fields: Fields): Finding {
  const message = messageOf(error)
  const named = Object.keys(fields).find(name => new RegExp(`^${name}[.:]`).test(message))
  const [, ownRule] = (named !== undefined && /^[\w.]+: (must .+?), (?:got|found) /.exec(message)) || []
  const reads = Object.entries(fields).filter(([, field]) => field.type === 'string' && field.reads)
  const begins = ([name]: (typeof reads)[number]) =>
    config[name] !== '' && message.startsWith(String(config[name]))
  const [read = '', field] = reads.find(begins) ?? reads[0] ?? []
  const kind = field?.type === 'string' ? field.reads : undefined
  const usual = ['path', 'folder'].find(name => Object.hasOwn(fields, name)) ?? ''
  const remedy = error instanceof CodedError ? error.remedy : undefined
  const said = remedy !== undefined && message.endsWith(`: ${remedy}`)
  return {
    field: named ?? (read || usual),
    rule: ownRule ?? (kind === 'model' ? opened : kind ? readable : 'must be usable'),
    lines: (said ? message.slice(0, -remedy.length - 2) : message).split('\n'),
    code: codeOf(error) ?? 'failed',
    remedy: remedy ?? (kind === 'model' ? 'mend the folder, or name another one' : mend),
  }
}

const opened = 'must name a model that can be opened'
const readable = 'must name data that can be read'
const mend = 'mend what is named, or name something else'

function isFatal({ isWarning, failing }: Finding, skips: PlannedNode | undefined): boolean {
  if (isWarning) return false
  const allowed = skips ? shareOf(skips) : 1
  return !failing || failing.items > allowed * failing.of || failing.items === failing.of
}

/** Of the nodes that work on a node's items, the one that may skip the smallest share of them. */
function skipsOf(
  node: PlannedNode,
  nodes: readonly PlannedNode[],
  seen = new Set<string>(),
): PlannedNode | undefined {
  seen.add(node.name)
  const workers = nodes.flatMap(next =>
    next.wires.flatMap(({ from, port }) => {
      if (from.node !== node.name || seen.has(next.name)) return []
      return (passesOn(next, port) ? skipsOf(next, nodes, seen) : next) ?? []
    }),
  )
  return workers.sort((one, other) => shareOf(one) - shareOf(other))[0]
}

/** The node after another one that needs what a finding says that items lack. */
function neededBy(
  { lacks }: Finding,
  { name }: PlannedNode | PlannedResource,
  nodes: readonly PlannedNode[],
): PlannedNode | undefined {
  if (lacks === undefined) return undefined
  const after = new Set([name])
  for (const before of after)
    for (const next of nodes)
      if (next.wires.some(({ from, initial }) => from.node === before && initial === undefined))
        after.add(next.name)
  return nodes.find(
    ({ name, operator, config }) => after.has(name) && operator.marks?.(config).reads?.includes(lacks),
  )
}

/** A warning that is an error, since a node needs what items lack. */
const sharpened = (finding: Finding, { name, operatorName }: PlannedNode): Finding => ({
  ...finding,
  isWarning: false,
  lines: [...finding.lines, `node "${name}" (${operatorName}) needs it`],
})

/** A finding whose words name settings as the graph has them. */
const inGraph = (finding: Finding, { at }: PlannedNode | PlannedResource, fields: Fields): Finding => ({
  ...finding,
  lines: finding.lines.map(line => asInGraph(line, at, fields)),
  remedy: asInGraph(finding.remedy, at, fields),
})

/** A finding whose remedy says what to set on another node. */
function withSetting(finding: Finding, nodes: readonly PlannedNode[]): Finding {
  const setting = raisedBy(finding, nodes)
  return setting === undefined ? finding : { ...finding, remedy: `${finding.remedy}; or --set ${setting}` }
}

/** A node that only passes the items of an input on does not look at what they name. */
const passesOn = ({ operator }: PlannedNode, port: string): boolean =>
  Object.values(operator.outputs).some(output => typeof output === 'object' && output.like === port)
