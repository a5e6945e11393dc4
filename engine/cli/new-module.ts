import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pathFrom } from '../graph/file/extends.ts'
import { whyUnread } from '../graph/missing-file.ts'
import { apiVersion } from '../operator.ts'
import { isObject } from '../shared/json.ts'
import { packageName } from '../shared/package-name.ts'
import { UsageError } from './arguments.ts'
import type { NewFiles } from './new-kernel.ts'
import { lossFiles } from './new-loss.ts'
import type { Language } from './new-types.ts'

/** `flow new operator`, `reward`, `loss`, `tower`, `graph` and `preset`: a file with its test, in a folder outside of flow. */
export function moduleFiles(
  kind: ModuleKind,
  name: string,
  folder: string,
  base: string | undefined,
  language: Language,
): NewFiles {
  if (!/^[A-Za-z][A-Za-z0-9_.-]*$/.test(name))
    throw new UsageError(`${name}: must be a name: a letter, then letters, digits, ".", "_" or "-"`)
  const [, stem, ending] = /^(.+)\.([cm]?[jt]s|json)$/.exec(name) ?? []
  if (stem !== undefined)
    throw new UsageError(
      `${name}: must be the name of the ${kind}, not of its file`,
      `write ${stem}${ending?.endsWith('ts') ? ' --ts' : ''}`,
    )
  if ((kind === 'preset') !== (base !== undefined))
    throw new UsageError(
      kind === 'preset'
        ? '--extends: must name the graph that the preset extends, such as flow:presets/trl-grpo.json'
        : `--extends: is for a preset, not for a${kind === 'operator' ? 'n' : ''} ${kind}`,
    )
  const from = base === undefined ? '' : baseFrom(folder, base)
  const texts = Object.entries(templates[kind](name, language, from))
  const files = Object.fromEntries(texts.map(([file, text]) => [join(folder, file), text]))
  const test = Object.keys(files).at(-1) ?? ''
  return {
    files,
    test: `node --test ${test}`,
    ...(kind === 'loss' && { run: test.replace(/\.test\.\w+$/, '.json') }),
  }
}

export const moduleKinds = ['operator', 'reward', 'loss', 'tower', 'graph', 'preset'] as const
export type ModuleKind = (typeof moduleKinds)[number]

type Template = (name: string, language: Language, base: string) => Record<string, string>

const templates: Record<ModuleKind, Template> = {
  operator: operatorFiles,
  reward: rewardFiles,
  loss: (name, language) => lossFiles(name, fileOf(name), language),
  tower: towerFiles,
  graph: graphFiles,
  preset: presetFiles,
}

/** The base of a preset as its file names it; the command line names it from the working directory. */
function baseFrom(folder: string, base: string): string {
  const file = pathFrom(join(process.cwd(), 'graph.json'), base)
  const found = whyNoGraph(file)
  if (found !== undefined)
    throw new UsageError(
      `--extends ${base}: must be a graph file, found ${found}`,
      'give the path of a graph file, seen from the working directory, or flow:NAME of one in flow/graphs',
    )
  if (base.startsWith('flow:')) return base
  const path = relative(folder, resolve(base))
  return path.startsWith('.') ? path : `./${path}`
}

/** What is at a path instead of a graph file. */
function whyNoGraph(file: string): string | undefined {
  try {
    const graph: unknown = JSON.parse(readFileSync(file, 'utf8'))
    const isGraph = isObject(graph) && ('nodes' in graph || 'extends' in graph)
    return isGraph ? undefined : 'JSON without "nodes" or "extends"'
  } catch (error) {
    return error instanceof SyntaxError ? 'a file that is not JSON' : whyUnread(file, error).why
  }
}

/** The name of the file of an operator: `my-shout` for `my.shout`. */
const fileOf = (name: string): string => name.replaceAll('.', '-')

function operatorFiles(name: string, { ending }: Language): Record<string, string> {
  const file = fileOf(name)
  return {
    [`${file}${ending}`]: `import { operator } from '${packageName}/operator'

/** The version of flow's operator contract that this was written for. */
export const api = ${apiVersion}

export const operators = {
  '${name}': operator({
    summary: 'Adds a number to each item.',
    config: {
      addend: { type: 'number', default: 1, description: 'The number to add.' },
    },
    inputs: { numbers: 'any' },
    outputs: { sums: 'any' },
    run: ({ numbers }, { addend }, context) => ({
      sums: numbers.pipe(context.each(number => number + addend)),
    }),
  }),
}
`,
    [`${file}.test${ending}`]: `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf } from '${packageName}/testing'
import { operators } from './${file}${ending}'

test('it does what every operator must', async () => {
  assert.deepEqual(await faultsOf(operators['${name}'], { items: { numbers: [1, 2, 3] } }), [])
})
`,
  }
}

function rewardFiles(name: string, { ending, typed }: Language): Record<string, string> {
  const file = fileOf(name)
  const reward = name.split('.').at(-1)
  return {
    [`${file}${ending}`]: `import { ${typed('type Completion, ')}reward } from '${packageName}'

/** The version of flow's operator contract that this was written for. */
export const api = ${apiVersion}

/** The fewer tokens a completion has, the more it earns: 1 for none, 0 from 50 on. */
export const score = ({ ids }${typed(": Pick<Completion, 'ids'>")})${typed(': number')} => Math.max(0, 1 - ids.length / 50)

export const operators = {
  '${name}': reward('${reward}', 'Gives a completion the more, the fewer tokens it has: 1 for none, 0 from 50 on.', score),
}
`,
    [`${file}.test${ending}`]: `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf } from '${packageName}/testing'
import { operators, score } from './${file}${ending}'

const prompt = { sample: { video: '1.mp4', question: 'Which?', solution: 'B', fields: {} } }
const completion = { ids: [5, 6], text: '<answer> B </answer>', finished: true }

test('a short completion earns more than a long one', () => {
  assert.equal(score({ ...completion, ids: [] }), 1)
  assert.equal(score({ ...completion, ids: Array(25).fill(5) }), 0.5)
  assert.equal(score({ ...completion, ids: Array(60).fill(5) }), 0)
})

test('it does what every operator must', async () => {
  const groups = [{ prompt, completions: [completion] }]
  assert.deepEqual(await faultsOf(operators['${name}'], { items: { groups } }), [])
})
`,
  }
}

function towerFiles(name: string, { ending, typed }: Language): Record<string, string> {
  const file = fileOf(name)
  return {
    [`${file}${ending}`]: `import { ${typed('type ConfigFields, ')}layerScale, parameter, ${typed('type Part, ')}siglip${typed(', type Tower, type TowerUse')} } from '${packageName}/parts'

/** The version of flow's operator contract that this was written for. */
export const api = ${apiVersion}

/** A weight of its own, by the name that files have. */
const scale = 'vision_tower._vision_tower.vision_model.feature_scale'

/** SigLIP, but each channel of its features is multiplied by a learned number. */
function parse(fields${typed(': ConfigFields')}, use${typed(': TowerUse')})${typed(': Part<Tower>')} {
  const part = siglip(fields, use)
  const withScale = (tensors${typed(": Part<Tower>['tensors']")}) => new Map([...tensors, [scale, [part.network.hidden]]])
  return {
    ...part,
    kind: '${name}',
    tensors: withScale(part.tensors),
    stored: withScale(part.stored),
    network: {
      ...part.network,
      record: (pass, weights, pixels) =>
        layerScale(pass, part.network.record(pass, weights, pixels), parameter(weights, scale)),
    },
  }
}

/** A checkpoint's config.json names it: "vision_model_name_or_path": "${name}". */
export const parts = {
  towers: { '${name}': { summary: 'SigLIP whose features are scaled channel by channel.', parse } },
}
`,
    [`${file}.test${ending}`]: `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partFaultsOf } from '${packageName}/testing'
import { parts } from './${file}${ending}'

test('it does what every tower must: names, shapes, gradients', async () => {
  assert.deepEqual(await partFaultsOf(parts), [])
})
`,
  }
}

function graphFiles(name: string): Record<string, string> {
  const graph = {
    version: 1,
    summary: 'Copies the lines of a file, four to a list.',
    params: {
      from: { type: 'string', description: 'File with one JSON value a line.' },
      to: { type: 'string', description: 'File to write.' },
    },
    nodes: {
      // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
      lines: { operator: 'read.jsonl', config: { path: '${from}' } },
      lists: { operator: 'stream.batch', config: { size: 4 }, from: { items: 'lines.items' } },
      written: { operator: 'write.jsonl', config: { path: '${to}' }, from: { items: 'lists.lists' } },
      // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
    },
  }
  return {
    [`${name}.json`]: `${JSON.stringify(graph, null, 2)}\n`,
    [`${name}.test.mjs`]: `import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const graph = fileURLToPath(new URL('./${name}.json', import.meta.url))
const flow = join(dirname(fileURLToPath(import.meta.resolve('${packageName}/operator'))), 'cli/main.js')

test('it copies lines', () => {
  const folder = mkdtempSync(join(tmpdir(), '${name}-'))
  const [from, to] = [join(folder, 'from.jsonl'), join(folder, 'to.jsonl')]
  writeFileSync(from, '1\\n2\\n3\\n4\\n5\\n')
  const set = ['--set', \`from=\${from}\`, '--set', \`to=\${to}\`, '--out', join(folder, 'run')]
  execFileSync(process.execPath, [flow, 'run', graph, ...set])
  assert.equal(readFileSync(to, 'utf8'), '[1,2,3,4]\\n[5]\\n')
})
`,
  }
}

function presetFiles(name: string, _: Language, base: string): Record<string, string> {
  const graph = { extends: base, summary: `As ${base}: say here what differs, and why.`, params: {} }
  return {
    [`${name}.json`]: `${JSON.stringify(graph, null, 2)}\n`,
    [`${name}.test.mjs`]: `import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const graph = fileURLToPath(new URL('./${name}.json', import.meta.url))
const flow = join(dirname(fileURLToPath(import.meta.resolve('${packageName}/operator'))), 'cli/main.js')
/** A value for each param without a default, e.g. ['--set', 'data=questions.jsonl']. */
const set = []

test('flow check finds no mistake', () => {
  execFileSync(process.execPath, [flow, 'check', graph, ...set])
})
`,
  }
}
