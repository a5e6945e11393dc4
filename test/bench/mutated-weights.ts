import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { command } from '../../engine/cli/command.ts'
import { operators, resources } from '../../operators/index.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { pickOf, type Random, randomOf } from '../engine/run/random-graph.ts'
import { fixture, repository } from '../fixtures.ts'
import { changedJson } from '../json-changes.ts'
import { changed, type MutationCounts, makeFolderOfCases, outcomeOf } from './mutated-files.ts'

/** Bytes that the process may grow by while it reads a folder of two megabytes. */
const mostGrown = 1e9

/** Of the changed folders that are accepted, a run loads one of so many onto the GPU and lets it answer. */
const runsOneOf = 25

/** Folders of weights: a file with all of them, and two shards with an index. */
const bases = [join(repository, 'operators/shapes/cold-start'), fixture('tiny-bf16')]
const isOfModel = (name: string): boolean => !/^expected|clips|jsonl$/.test(name)

/** Changes one file of a folder of weights, opens it, reads every tensor, and lets some of the models answer a question. */
export async function mutatedWeights(count: number, seed: number): Promise<MutationCounts> {
  const root = makeFolderOfCases()
  const counts: MutationCounts = { accepted: 0, refused: 0, faults: [] }
  try {
    for (let i = 0; i < count; i++) {
      const random = randomOf(seed * 1_000_003 + i)
      const folder = join(root, String(i))
      const what = changedFolder(pickOf(bases, random), folder, random)
      const before = process.memoryUsage().rss
      const accepted = counts.accepted
      const faults = [await outcomeOf(folder, readAll(folder), counts)]
      const grown = process.memoryUsage().rss - before
      if (grown > mostGrown) faults.push(`the process grew by ${grown} bytes`)
      if (counts.accepted > accepted && counts.accepted % runsOneOf === 1)
        faults.push(await answers(folder, join(root, `run-${i}`)))
      counts.faults.push(...faults.flatMap(fault => (fault ? [`case ${i}, ${what}: ${fault}`] : [])))
      rmSync(folder, { recursive: true, force: true })
    }
    return counts
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function readAll(folder: string): Promise<void> {
  const checkpoint = await openCheckpoint(folder)
  for (const name of checkpoint.tensors.keys()) for await (const _ of checkpoint.read(name));
  checkpoint.tokenizer.encode('Which shape moves? <image>\n')
}

/** `flow check` and `flow run` of one question end with a code and without a stack. */
async function answers(model: string, out: string): Promise<string | undefined> {
  const graph = join(repository, 'graphs/infer.json')
  const clip = join(repository, 'graphs/demo/quiz/videos/blue.mp4')
  const set = [`model=${model}`, `video=${clip}`, 'question=Which?', 'frames=2', 'maxNewTokens=4']
  const given = set.flatMap(one => ['--set', one])
  for (const words of [
    ['check', graph, ...given],
    ['run', graph, ...given, '--out', out, '--seed', '1'],
  ]) {
    let said = ''
    const say = (line: string) => {
      said += `${line}\n`
    }
    const world = { registry: { operators, resources }, environment: {}, screen: { write: () => true } }
    const code = await command(words, { ...world, print: say, complain: say, prepare: async () => {} })
    if (/^\s+at .*:\d+/m.test(said)) return `flow ${words[0]} shows a stack: ${said.slice(-600)}`
    if (code !== 0 && !said.includes(model)) return `flow ${words[0]} names no file: ${said.slice(-600)}`
    if (code !== 0) return undefined
  }
  return undefined
}

type Change = (path: string, bytes: Buffer, random: Random) => void

/** Makes a folder like another one with one of its files changed; returns what was done. */
function changedFolder(base: string, folder: string, random: Random): string {
  mkdirSync(folder)
  const names = readdirSync(base).filter(isOfModel)
  for (const name of names) linkOrCopy(join(base, name), join(folder, name))
  const isWeights = random() < 0.5
  const name = pickOf(
    names.filter(one => one.endsWith('.safetensors') === isWeights),
    random,
  )
  const all = { ...changesOfAll, ...(isWeights ? changesOfWeights : changesOfJson) }
  const kind = pickOf(Object.keys(all), random)
  const path = join(folder, name)
  const bytes = readFileSync(path)
  rmSync(path)
  all[kind]?.(path, bytes, random)
  return `${name}, ${kind}`
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch {
    writeFileSync(to, readFileSync(from)) // another file system
  }
}

const changesOfAll: Readonly<Record<string, Change>> = {
  bytes: (path, bytes, random) => writeFileSync(path, changed(bytes, random)),
  missing: () => {},
  empty: path => writeFileSync(path, ''),
  folder: path => mkdirSync(path),
  pipe: path => void spawnSync('mkfifo', [path]),
  'link to itself': path => symlinkSync(path, path),
  'endless device': path => symlinkSync('/dev/zero', path),
}

const replaced = (bytes: Buffer, by: (text: string) => string): Buffer => Buffer.from(by(bytes.toString()))

const json: Change = (path, bytes, random) =>
  writeFileSync(
    path,
    replaced(bytes, text => changedJson(text, random)),
  )

const changesOfJson: Readonly<Record<string, Change>> = {
  value: json,
  'another value': json,
  'a third value': json,
  number: (path, bytes, random) =>
    writeFileSync(
      path,
      replaced(bytes, text => withNumber(text, random)),
    ),
  shard: (path, bytes, random) =>
    writeFileSync(
      path,
      replaced(bytes, text => text.replace(/model-0000[12]-of/, pickOf(shards, random))),
    ),
  deep: path => writeFileSync(path, `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
}

const shards = [
  '../model-00001-of',
  '/etc/passwd',
  'model-00009-of',
  '..',
  'a\\\\model-00001-of',
  'https://x/y',
]

/** A number of a JSON text replaced by an absurd one. */
function withNumber(text: string, random: Random): string {
  const places = [...text.matchAll(/(?<=[:[,]\s*)-?\d+(\.\d+)?/g)]
  if (places.length === 0) return text
  const { index, 0: found } = pickOf(places, random)
  return text.slice(0, index) + pickOf(absurd, random) + text.slice(index + found.length)
}

const absurd = ['-1', '0', '0.5', '1e9', '1e308', '1e999', '4294967296', '9007199254740993', '"7"', 'null']

const changesOfWeights: Readonly<Record<string, Change>> = {
  header: (path, bytes, random) =>
    writeFileSync(
      path,
      withHeader(bytes, text => changedJson(text, random)),
    ),
  'number of the header': (path, bytes, random) =>
    writeFileSync(
      path,
      withHeader(bytes, text => withNumber(text, random)),
    ),
  dtype: (path, bytes, random) =>
    writeFileSync(
      path,
      withHeader(bytes, text => text.replace(/"(F32|BF16|F16)"/, pickOf(dtypes, random))),
    ),
  offsets: (path, bytes, random) => writeFileSync(path, withEntries(bytes, random, 'data_offsets')),
  shapes: (path, bytes, random) => writeFileSync(path, withEntries(bytes, random, 'shape')),
  name: (path, bytes, random) =>
    writeFileSync(
      path,
      withHeader(bytes, text => text.replace(/"[a-z][\w.]+\.(weight|bias)"/, pickOf(names, random))),
    ),
  'length of the header': (path, bytes, random) => {
    const changed = Buffer.from(bytes)
    changed.writeBigUInt64LE(pickOf(lengths, random), 0)
    writeFileSync(path, changed)
  },
  values: (path, bytes, random) => {
    const begin = 8 + Number(bytes.readBigUInt64LE(0))
    const changed = Buffer.from(bytes)
    // in float32 and bfloat16 these are NaN and infinities
    const pattern = pickOf([0xff, 0x7f], random)
    const at = begin + Math.floor(random() * Math.max(1, bytes.length - begin))
    changed.fill(pattern, at, Math.min(bytes.length, at + 1 + Math.floor(random() * 4096)))
    writeFileSync(path, changed)
  },
}

const dtypes = ['"F8_E4M3"', '"I64"', '"BOOL"', '"F4"', '"__proto__"', '7', 'null', '"F64"']
const names = [
  '"../../outside"',
  '"__proto__"',
  '"constructor"',
  `"${'x'.repeat(10_000)}"`,
  '""',
  '"\\u0000"',
]
const lengths = [0n, 1n, 2n, 99_999_999n, 100_000_001n, 2n ** 63n, 2n ** 64n - 1n]

function withHeader(bytes: Buffer, by: (text: string) => string): Buffer {
  const length = Number(bytes.readBigUInt64LE(0))
  const header = replaced(bytes.subarray(8, 8 + length), by)
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([start, header, bytes.subarray(8 + length)])
}

/** Two tensors of the header change a field, or one has a field that is absurd. */
function withEntries(bytes: Buffer, random: Random, field: 'data_offsets' | 'shape'): Buffer {
  return withHeader(bytes, text => {
    const header: Record<string, Record<string, unknown>> = JSON.parse(text)
    const tensors = Object.keys(header).filter(name => name !== '__metadata__')
    const [one, other] = [header[pickOf(tensors, random)], header[pickOf(tensors, random)]]
    const values = [
      other?.[field],
      [0, 2 ** 53],
      [2 ** 26, 2 ** 27],
      [-1, 1],
      [],
      [1e308, 1e308],
      Array.from({ length: 1000 }, () => 1),
      [5, 0],
    ]
    if (one) one[field] = pickOf(values, random)
    return JSON.stringify(header)
  })
}
