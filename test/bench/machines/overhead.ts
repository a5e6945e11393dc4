import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode, digestOf, encode } from '../../../engine/over/message.ts'
import { openServer } from '../../../engine/over/nats.ts'
import { Pieces, pull } from '../../../engine/over/pieces.ts'
import { startFlow } from '../flow-process.ts'
import { freePort, startNats } from './nats-server.ts'

const graph = (folder: string) => ({
  version: 1,
  summary: 'Rows through an edge that can be cut.',
  parts: { middle: { nodes: ['mapped'] } },
  nodes: {
    rows: { operator: 'read.jsonl', config: { path: join(folder, 'rows.jsonl') } },
    mapped: {
      operator: 'stream.map',
      config: { fields: { text: 'text' } },
      from: { items: 'rows.items' },
    },
    file: {
      operator: 'write.jsonl',
      config: { path: join(folder, 'mapped.jsonl') },
      from: { items: 'mapped.items' },
    },
  },
})

/** What an edge between processes costs: per item by whole runs, and per byte of tensors and files. */
export async function* overhead(rounds: number): AsyncGenerator<string> {
  const folder = mkdtempSync(join(tmpdir(), 'flow-overhead-'))
  writeFileSync(join(folder, 'graph.json'), JSON.stringify(graph(folder)))
  for (const [bytes, few, many] of [
    [100, 500, 4500],
    [50_000, 100, 900],
    [500_000, 20, 120],
  ] as const) {
    const alone = await microseconds(folder, { few, many, bytes, rounds }, [])
    const over = await microseconds(folder, { few, many, bytes, rounds }, ['--workers', '1'])
    const rate = bytes / (over - alone)
    yield `an item of ${bytes} bytes of text: ${alone.toFixed(0)} µs in one process, ${over.toFixed(0)} µs over NATS there and back (${rate.toFixed(1)} MB/s)`
  }
  yield* tensorLines(folder, rounds)
  rmSync(folder, { recursive: true, force: true })
}

/** Microseconds of an item, from the difference of a long run and a short one. */
async function microseconds(
  folder: string,
  { few, many, bytes, rounds }: { few: number; many: number; bytes: number; rounds: number },
  words: readonly string[],
): Promise<number> {
  const slopes: number[] = []
  for (let i = 0; i < rounds; i++) {
    const short = await secondsOf(folder, few, bytes, words)
    const long = await secondsOf(folder, many, bytes, words)
    slopes.push(((long - short) / (many - few)) * 1e6)
  }
  return median(slopes)
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Seconds of a whole run of this number of rows. */
async function secondsOf(
  folder: string,
  rows: number,
  bytes: number,
  words: readonly string[],
): Promise<number> {
  const row = `${JSON.stringify({ text: 'x'.repeat(bytes) })}\n`
  writeFileSync(join(folder, 'rows.jsonl'), row.repeat(rows))
  const log = join(folder, 'log.txt')
  writeFileSync(log, '')
  rmSync(join(folder, 'run'), { recursive: true, force: true })
  rmSync(join(folder, 'mapped.jsonl'), { force: true })
  await startFlow(['run', join(folder, 'graph.json'), '--out', join(folder, 'run'), ...words], log).ended
  const [, seconds] = /completed, .* ([\d.]+) s$/m.exec(readFileSync(log, 'utf8')) ?? []
  if (seconds === undefined) throw new Error(readFileSync(log, 'utf8'))
  return Number(seconds)
}

/** Tensors as messages, and a file of weights of adapters (30 MB) pulled by its digest; both ends are in this process. */
async function* tensorLines(folder: string, rounds: number): AsyncGenerator<string> {
  const data = randomBytes(30e6)
  const times = { pack: [] as number[], unpack: [] as number[], pull: [] as number[] }
  const timed = async (name: keyof typeof times, work: () => unknown) => {
    const begin = performance.now()
    await work()
    times[name].push((performance.now() - begin) / 1000)
  }
  const port = await freePort()
  const process = await startNats(port, ['-js', '-sd', join(folder, 'nats')])
  const { signal } = new AbortController()
  const server = await openServer(`nats://127.0.0.1:${port}`, {
    signal,
    log: line => console.error(line),
    environment: {},
  })
  const epoch = { run: 'bench', epoch: '1' }
  const pieces = new Pieces()
  const path = join(folder, 'weights')
  writeFileSync(path, data)
  const sha256 = digestOf(data)
  pieces.keep(sha256, path)
  pieces.serve(server, epoch)
  for (let i = 0; i < rounds + 1; i++) {
    let bytes: Uint8Array = new Uint8Array()
    await timed('pack', () => {
      bytes = encode({ json: {}, tensors: { all: { dtype: 'u8', shape: [data.length], data } } })
    })
    await timed('unpack', () => decode(bytes))
    await timed('pull', async () => {
      for await (const part of pull(server, epoch, { sha256, bytes: data.length }, signal)) void part
    })
  }
  await server.close()
  process.kill()
  const rate = (name: keyof typeof times) => (data.length / 1e6 / median(times[name].slice(1))).toFixed(0)
  yield `a tensor of 30 MB: packed at ${rate('pack')} MB/s, unpacked at ${rate('unpack')} MB/s, checksums included`
  yield `a file of 30 MB that is not in sight: pulled at ${rate('pull')} MB/s`
}
