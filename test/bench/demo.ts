// node dist/test/bench/demo.js [flags]: the demonstration's GRPO, its comparison and its controls, from the shipped
// checkpoint, as children that run the committed graphs; prints a table and draws the curves. What is done is not done
// again: after a stop, the same command goes on with the first run that is missing.
//   --seeds 1,2,3                    a GRPO run for each seed
//   --control-seeds 1                a run with random rewards and a supervised one for each of these
//   --out DIR                        where runs are kept (default runs/demo-HASH, HASH of graphs and checkpoint)
//   --done                           runs nothing: a table of what is done, which says what is not
//   --write                          puts the table into graphs/demo/README.md and the picture into graphs/demo/curve.svg
//   --rebuild                        instead: makes the shipped checkpoint anew from random weights and compares bytes
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageFolder } from '../../engine/shared/package-folder.ts'
import { type Line, type Mark, picture, smooth } from './demo-picture.ts'
import { rebuild } from './demo-rebuild.ts'
import { isDone, manifestOf, metricsOf, runGraph, runsFolder } from './demo-runs.ts'
import { between, type Row, type Score, tableOf } from './demo-table.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    'control-seeds': { type: 'string', default: '1' },
    out: { type: 'string', default: runsFolder() },
    done: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    rebuild: { type: 'boolean', default: false },
  },
})
const seeds = values.seeds.split(',').map(Number)
const controlSeeds = values['control-seeds'].split(',').map(Number)

/** The graph of each part, its name in the table, what holds the trained model, and the colour of its curve. */
const parts = [
  { name: 'grpo', graph: 'grpo', title: 'GRPO', model: 'policy', colour: '#2563eb', seeds },
  {
    name: 'random',
    graph: 'random-rewards',
    title: 'random rewards',
    model: 'policy',
    colour: '#dc2626',
    seeds: controlSeeds,
  },
  {
    name: 'supervised',
    graph: 'supervised',
    title: 'supervised only',
    model: 'model',
    colour: '#16a34a',
    seeds: controlSeeds,
  },
] as const
type Part = (typeof parts)[number]

const folderOf = (name: string): string => join(values.out, name)

if (values.rebuild) process.exitCode = rebuild(values.out) ? 0 : 1
else demonstrate()

function demonstrate(): void {
  const cold = scoreOf('cold-start', 1, 'builtin:cold-start')
  const rows = parts.map(part => ({ ...part, scores: part.seeds.map(seed => train(part, seed)) }))
  const table = [tableOf([{ title: 'cold start', seeds: [], scores: [cold] }, ...rows]), '', madeOn()].join(
    '\n',
  )
  console.log(table)
  const picture = curves(cold, rows)
  if (values.write) {
    const readme = join(packageFolder, 'graphs/demo/README.md')
    writeFileSync(readme, between('demo', readFileSync(readme, 'utf8'), table))
    writeFileSync(join(packageFolder, 'graphs/demo/curve.svg'), picture)
  }
  mkdirSync(values.out, { recursive: true })
  writeFileSync(folderOf('table.md'), table)
  writeFileSync(folderOf('curve.svg'), picture)
  console.log(`\n${folderOf('curve.svg')}`)
}

/** Trains and tests a model of a part. */
function train({ name, graph, model }: Part, seed: number): Score | null {
  const folder = flow(graph, `${name}-${seed}`, seed, [])
  if (folder === null) return null
  const score = scoreOf(`${name}-${seed}`, seed, join(folder, 'checkpoints/last', model))
  return score && { ...score, trainSeconds: manifestOf(folder).seconds }
}

/** Greedy answers to the test questions, with open and with closed eyes. */
function scoreOf(name: string, seed: number, model: string): Score | null {
  const folder = flow('evaluate', `${name}-test`, seed, [`model=${model}`])
  if (folder === null) return null
  const means: Record<string, number> = Object.assign({}, ...metricsOf(folder))
  const of = (key: string) => means[key] ?? Number.NaN
  return {
    seen: of('seen/accuracy'),
    format: of('seen/format'),
    blind: of('blind/accuracy'),
    trainSeconds: 0,
    testSeconds: manifestOf(folder).seconds,
  }
}

/** The folder of a run, which is made unless that was done; null when it is missing and `--done` forbids it. */
function flow(graph: string, name: string, seed: number, set: readonly string[]): string | null {
  const folder = folderOf(name)
  if (isDone(folder)) return folder
  if (values.done) return null
  runGraph(graph, folder, seed, set)
  return folder
}

/** Says what the runs have in common; only where they were made is taken from this machine. */
function madeOn(): string {
  const names = ['cold-start-test', ...parts.flatMap(part => part.seeds.map(seed => `${part.name}-${seed}`))]
  const manifests = names.map(folderOf).filter(isDone).map(manifestOf)
  const each = (list: readonly string[]) => [...new Set(list)].join(', ')
  const adapters = each(manifests.map(manifest => manifest.adapter.description))
  const days = each(manifests.map(manifest => manifest.started.slice(0, 10)))
  return `Made by this command on ${days}; adapter ${adapters}; ${availableParallelism()} CPU cores.`
}

function curves(cold: Score | null, rows: readonly (Part & Row)[]): string {
  const lines: Line[] = []
  const marks: Mark[] = cold ? [{ name: 'cold start', update: 0, value: cold.seen, colour: '#777' }] : []
  for (const { name, title, colour, seeds, scores } of rows) {
    for (const [i, score] of scores.entries()) {
      if (!score) continue
      const told = metricsOf(folderOf(`${name}-${seeds[i]}`))
      const raw = told.flatMap(line => line['rewards/accuracy'] ?? [])
      // A supervised run draws no completions: its end is all there is.
      if (raw.length > 0) lines.push({ name: title, colour, values: smooth(raw, 20) })
      marks.push({ name: title, update: told.length, value: score.seen, colour })
    }
  }
  return picture(
    'Right answers while training, mean of 20 updates; dots: unseen questions, greedy',
    lines,
    marks,
  )
}
