import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { apiVersion } from '../operator.ts'
import { packageName } from '../shared/package-name.ts'
import { UsageError } from './arguments.ts'
import { fitting, type Language, typeScript } from './new-types.ts'

/** Files to write, by path, the command that tests them, and a graph among them that runs them. */
export interface NewFiles {
  files: Readonly<Record<string, string>>
  test: string
  run?: string
}

/**
 * `flow new kernel`: a plugin with its test, which is the kernel and an operator that runs it; with `room`, a kernel of flow
 * itself in `kernels/ROOM` of the checkout, with its test.
 */
export function kernelFiles(
  name: string,
  room: string | undefined,
  out: string | undefined,
  language: Language,
): NewFiles {
  checkName(name)
  const root = out === undefined ? repositoryAbove(process.cwd()) : undefined
  if (room !== undefined && root === undefined)
    throw new UsageError('--room: is for kernels of flow itself, so it needs a checkout of flow and no --out')
  if (room === undefined || root === undefined) {
    const folder = out ?? '.'
    const test = join(folder, `${name}.test${language.ending}`)
    const module = join(folder, `${name}${language.ending}`)
    return {
      files: { [module]: kernelModule(name, 'plugin', language), [test]: pluginTest(name, language) },
      test: `node --test ${test}`,
    }
  }
  const rooms = readdirSync(join(root, 'kernels'), { withFileTypes: true }).filter(e => e.isDirectory())
  if (!rooms.some(({ name }) => name === room))
    throw new UsageError(
      `--room: must be a folder of kernels/ (${rooms.map(({ name }) => name).join(', ')}), found ${room}`,
    )
  const base = relative(process.cwd(), root)
  return {
    files: {
      [join(base, 'kernels', room, `${name}.ts`)]: kernelModule(name, 'flow', typeScript),
      [join(base, 'test/kernels', room, `${name}.test.ts`)]: repositoryTest(name, room),
    },
    test: `${base === '' ? '' : `cd ${base} && `}npx tsc -p tsconfig.json && node dist/test/run.js kernels/${room}/${name}`,
  }
}

/** The checkout of flow that holds this folder. */
function repositoryAbove(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, 'package.json')
    if (existsSync(file) && existsSync(join(at, 'kernels/device')) && existsSync(join(at, 'test/kernels')))
      return JSON.parse(readFileSync(file, 'utf8')).name === packageName ? at : undefined
    if (at === dirname(at)) return undefined
  }
}

function checkName(name: string): void {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 30)
    throw new UsageError(
      `${name}: must be a kernel's name: at most 30 lower-case letters, digits and "-", such as leaky-relu`,
    )
  if (usedNames.has(camel(name)) || isReserved(camel(name)))
    throw new UsageError(`${name}: must be another name: the written code uses this one itself`)
}

/** Names that the templates use for something else. */
const usedNames = new Set(
  'api assert close compile compiled complaints context count define device factor family given group items kernel noise operator operators recording rows size spread target tensor test trials values wanted wgsl'.split(
    ' ',
  ),
)

function isReserved(word: string): boolean {
  try {
    new Function(`'use strict'; let ${word}`)
    return false
  } catch {
    return true
  }
}

const camel = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())

/** The kernel with its reference, for flow itself, or with its operator as a plugin. */
function kernelModule(name: string, owner: 'flow' | 'plugin', { typed }: Language): string {
  const call = camel(name)
  const type = `${call.slice(0, 1).toUpperCase()}${call.slice(1)}Call`
  const forFlow = owner === 'flow'
  const imports = forFlow
    ? `import { kernel, type Target, targetKey } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'`
    : `import { deviceOf } from '${packageName}'
import { compile, kernel, Recording, sizeOf, spread, targetKey } from '${packageName}/kernels'${typed(`
import type { Target, Tensor } from '${packageName}/kernels'`)}
import { operator } from '${packageName}/operator'`
  const parameters = [`recording${typed(': Recording')}`, `{ x, y, factor }${typed(`: ${type}`)}`]
  const signature = fitting(`export function ${call}(`, parameters, `)${typed(': void')}`)
  return `${imports}

// The idea in one sentence: every element is multiplied by a factor.
//
//   y[i] = factor · x[i]                        name the paper or equation of a formula that has one
//
//   lane     0  1  2  …  width − 1              a workgroup computes width · repeat elements: neighbouring lanes
//   element  0  1  2  …  width − 1              read neighbouring elements, so that a subgroup reads one piece of
//            width …     2 · width − 1          memory, and each lane computes \`repeat\` of them
${typed(`
export interface ${type} {
  /** f32, of any shape */
  x: Tensor
  /** f32, of the shape of x */
  y: Tensor
  factor: number
}
`)}
/** y = factor · x. */
${signature} {
  const count = sizeOf(x.shape)
  const { width, repeat } = spread(recording.target)
  recording.dispatch(define(recording.target), {
    params: { count, factor },
    buffers: { x, y },
    grid: Math.ceil(count / (width * repeat)),
  })
}

/** The same arithmetic as a plain loop: the test compares the kernel with it. */
export function ${call}Reference(x${typed(': ArrayLike<number>')}, factor${typed(': number')})${typed(': number[]')} {
  return Array.from(x, value => factor * value)
}

function define(target${typed(': Target')}) {
  const { width, repeat } = spread(target)
  return kernel(['${name}', targetKey(target)], () => ({
    name: '${name}',
    params: { count: 'u32', factor: 'f32' },
    buffers: {
      x: { element: 'f32', access: 'read' }, // (count)
      y: { element: 'f32', access: 'write' }, // (count)
    },
    code: \`
@compute @workgroup_size(\${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * \${width * repeat}u + lane;
  let end = min(start + \${width * repeat}u, params.count);
  for (var i = start; i < end; i += \${width}u) { y[i] = params.factor * x[i]; }
}\`,
  }))
}
${forFlow ? '' : operatorOf(name, typed)}`
}

/** An operator that runs the kernel, so that a graph can use it at once. */
const operatorOf = (name: string, typed: Language['typed']): string => `
/** The version of flow's operator contract that this was written for. */
export const api = ${apiVersion}

/** The kernel as an operator: a graph that names this file in "plugins" can use it. */
export const operators = {
  'my.${name}': operator({
    summary: 'Multiplies the numbers of each row by a factor, on the GPU.',
    config: { factor: { type: 'number', default: 2, description: 'The factor.' } },
    inputs: { rows: 'any' },
    outputs: { rows: 'any' },
    run: ({ rows }, { factor }, context) => ({
      rows: rows.pipe(
        context.each(async ${typed('(')}row${typed(': { values: number[] })')} => {
          const device = await deviceOf(context)
          const x = device.tensor('x', [row.values.length], 'f32', Float32Array.from(row.values))
          const y = device.tensor('y', [row.values.length])
          let compiled // stays undefined if the kernel is wrong
          try {
            const recording = new Recording(device)
            ${camel(name)}(recording, { x, y, factor })
            compiled = await compile(device, recording, '${name}')
            compiled.run()
            return { ...row, values: [...(await device.read(y))] }
          } finally {
            compiled?.free()
            for (const tensor of [x, y]) device.freeTensor(tensor)
          }
        }),
      ),
    }),
  }),
}
`

function repositoryTest(name: string, room: string): string {
  const call = camel(name)
  const names = [call, `${call}Reference`]
  const imported = fitting('import {', names, `} from '../../../kernels/${room}/${name}.ts'`, ' ')
  return `import t from 'tap'
${imported}
import { complaints, nullDevice } from '../null-device.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  // One element, a few, the elements of a workgroup of either family, and one more.
  for (const size of [1, 5, 256, 257, 1025]) {
    const values = noise(size)
    const y = device.tensor('y', [size])
    const tensors = { x: given(device, [size], values), y }
    await runOnce(device, recording => ${call}(recording, { ...tensors, factor: 0.5 }))
    const wanted = ${call}Reference(values, 0.5)
    close(t, await device.read(y), wanted, 1e-6, \`\${size} elements are multiplied by the factor:\`)
  }
})

t.test('the kernel is valid WGSL on a GPU with matrix units', async t => {
  const gpu = await nullDevice()
  const errors = await complaints(gpu, recording => {
    const [x, y] = ['x', 'y'].map(label => recording.tensor(label, [1025]))
    ${call}(recording, { x, y, factor: 0.5 })
  })
  t.same(errors, [])
  gpu.destroy()
})
`
}

function pluginTest(name: string, { ending, typed }: Language): string {
  const call = camel(name)
  return `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf, kernelFaultsOf${typed(', type KernelTrial')} } from '${packageName}/testing'
import { ${call}, ${call}Reference, operators } from './${name}${ending}'

test('the kernel multiplies each element by the factor, and frees what it takes', async () => {
  // one element, a few, the elements of a workgroup of either family, and one more
  const trials = [1, 5, 256, 257, 1025].map(${typed('(')}size${typed('): KernelTrial')} => {
    const x = Float32Array.from({ length: size }, (_, i) => i - size / 2)
    const wanted = { y: ${call}Reference(x, 0.5) }
    return { given: { x }, wanted, record: (recording, { x, y }) => ${call}(recording, { x, y, factor: 0.5 }) }
  })
  assert.deepEqual(await kernelFaultsOf(trials), [])
})

test('its operator keeps the rules of streams, and frees what it takes', async () => {
  const rows = [{ values: [1, -2, 3] }, { values: [0.5] }]
  assert.deepEqual(await faultsOf(operators['my.${name}'], { items: { rows } }), [])
})
`
}
