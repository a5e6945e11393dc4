import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { apiVersion } from '../../operator.ts'
import { UsageError } from '../arguments.ts'
import { checkpointFlags, newCheckpoint } from '../new-checkpoint.ts'
import { kernelFiles, type NewFiles } from '../new-kernel.ts'
import type { Verb } from '../verb.ts'

export const make: Verb = {
  summary: 'Writes a working operator, graph or kernel with its test, or a checkpoint with random weights.',
  usage: 'operator NAME | graph NAME | kernel NAME | checkpoint',
  flags: {
    out: { value: 'DIR', description: 'Folder to write into (default: the working directory).' },
    room: {
      value: 'ROOM',
      description:
        'For a kernel of flow itself: the folder of kernels/ that holds it (default: elementwise).',
    },
    ...checkpointFlags,
  },
  example: `npx flow new operator my.shout --out my-operators
npx flow new kernel leaky-relu --out my-kernels
npx flow new checkpoint --config builtin:configurations/small.json --out my-model`,
  run: async (words, { print }) => {
    if (words.positional.join(' ') === 'checkpoint') return newCheckpoint(words, print)
    const [kind, name, ...rest] = words.positional
    if (
      (kind !== 'operator' && kind !== 'graph' && kind !== 'kernel') ||
      name === undefined ||
      rest.length > 0
    )
      throw new UsageError(
        `must be "operator NAME", "graph NAME", "kernel NAME" or "checkpoint", found ${words.positional.join(' ') || 'nothing'}`,
      )
    const { files, test } =
      kind === 'kernel'
        ? kernelFiles(name, words.last('room'), words.last('out'))
        : moduleFiles(kind, name, words.last('out') ?? '.')
    const existing = Object.keys(files).find(path => existsSync(path))
    if (existing !== undefined) throw new UsageError(`${existing}: must not be there yet`)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      print(`wrote ${path}`)
    }
    print(`test it: ${test}`)
    return 0
  },
}

function moduleFiles(kind: 'operator' | 'graph', name: string, folder: string): NewFiles {
  if (!/^[A-Za-z][A-Za-z0-9_.-]*$/.test(name))
    throw new UsageError(`${name}: must be a name: a letter, then letters, digits, ".", "_" or "-"`)
  const texts = Object.entries(kind === 'operator' ? operatorFiles(name) : graphFiles(name))
  const files = Object.fromEntries(texts.map(([file, text]) => [join(folder, file), text]))
  return { files, test: `node --test ${Object.keys(files).at(-1)}` }
}

function operatorFiles(name: string): Record<string, string> {
  const file = basename(name.replaceAll('.', '-'))
  return {
    [`${file}.js`]: `import { operator } from 'flow/operator'

/** The version of flow's operator contract that this was written for. */
export const api = ${apiVersion}

export const operators = {
  '${name}': operator({
    summary: 'Adds a number to each item.',
    config: {
      addend: { type: 'number', default: 1, description: 'What is added.' },
    },
    inputs: { numbers: 'any' },
    outputs: { sums: 'any' },
    run: ({ numbers }, { addend }, context) => ({
      sums: numbers.pipe(context.each(number => number + addend)),
    }),
  }),
}
`,
    [`${file}.test.js`]: `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf } from 'flow/testing'
import { operators } from './${file}.js'

test('it does what every operator must', async () => {
  assert.deepEqual(await faultsOf(operators['${name}'], { items: { numbers: [1, 2, 3] } }), [])
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
    [`${name}.test.js`]: `import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const graph = fileURLToPath(new URL('./${name}.json', import.meta.url))
const flow = join(dirname(fileURLToPath(import.meta.resolve('flow/operator'))), 'cli/main.js')

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
