// What decoding adds to the time of an evaluation whose encoder is slow: node --import tsx test/bench/eval-overlap.ts
// An encoder that only waits replaces the model; the clips are those of MVBench in the fixtures. Decoding alone takes less
// time than the encoder waits.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadGraph } from '../../engine/graph/check.ts'
import { operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import type { WatchedClip } from '../../operators/eval/clip-questions.ts'
import { operators, resources } from '../../operators/index.ts'
import { fixture } from '../fixtures.ts'

const encodeMs = 1500
let waited = 0
let first = 0
const slow = operator({
  summary: 'Stands for an encoder: keeps each clip for a while.',
  config: { milliseconds: { type: 'integer', description: 'Time for a clip.' } },
  inputs: { watched: 'watched' },
  outputs: {},
  run: ({ watched }, { milliseconds }, context) => ({
    done: watched.pipe(
      context.each(async (_: WatchedClip) => {
        if (waited++ === 0) first = performance.now()
        await delay(milliseconds)
        return undefined
      }),
    ),
  }),
})

const folder = mkdtempSync(join(tmpdir(), 'flow-overlap-'))
const graph = (name: string, milliseconds: number) =>
  JSON.stringify({
    version: 1,
    summary: 'Decodes and waits.',
    nodes: {
      questions: { operator: 'read.mvbench', config: { path: join(fixture('benchmarks'), 'MVBench') } },
      clips: { operator: 'eval.by-clip', from: { samples: 'questions.samples' } },
      watch: {
        operator: 'eval.watch',
        config: { folder: join(folder, name) },
        from: { clips: 'clips.clips' },
      },
      encode: { operator: 'bench.slow', config: { milliseconds }, from: { watched: 'watch.watched' } },
    },
  })

/** Seconds from the start and from the first clip that reached the encoder to the end, and the clips. */
async function time(name: string, milliseconds: number) {
  waited = 0
  const registry = { operators: { ...operators, 'bench.slow': slow }, resources }
  const plan = loadGraph('overlap.json', registry, { read: () => graph(name, milliseconds) })
  const started = performance.now()
  const { error } = await startRun(plan, { seed: 0, directory: join(folder, `run-${name}`) }).done
  if (error) throw error
  const end = performance.now()
  return { all: (end - started) / 1000, afterFirst: (end - first) / 1000, clips: waited }
}

const decode = await time('decode', 0)
const both = await time('both', encodeMs)
const encode = (both.clips * encodeMs) / 1000
console.log(
  `${both.clips} clips: decoding alone ${decode.all.toFixed(2)} s, the encoder alone ${encode.toFixed(2)} s`,
)
console.log(
  `together ${both.all.toFixed(2)} s; after the first clip decoding adds ${((both.afterFirst / encode - 1) * 100).toFixed(1)} %` +
    ` (with the first clip ${((both.all / encode - 1) * 100).toFixed(1)} %)`,
)
rmSync(folder, { recursive: true, force: true })
