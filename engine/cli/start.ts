// What `npm start` runs: asks the cold-start model questions, trains it by GRPO, and asks the same questions again.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolvePath } from '../../operators/builtin.ts'
import { at } from '../shared/at.ts'
import { pathHere } from '../shared/path-here.ts'
import { command } from './command.ts'
import { program } from './program.ts'
import type { World } from './verb.ts'

/** `words` are further flags of the training run. */
async function start(words: readonly string[], world: World): Promise<number> {
  const folder = freshFolder()
  const graph = (name: string) => `flow:demo/${name}.json`
  /** The trained model. */
  const model = join(folder, 'train/checkpoints/last/policy')
  const stages = [
    ['before', 'Asks the model, before its training, questions that it has not seen.', graph('ask')],
    ['train', 'Trains it by GRPO on other questions.', graph('start'), ...words],
    ['after', 'Asks the trained model the same questions.', graph('ask'), '--set', `model=${model}`],
  ] as const
  const seconds: string[] = []
  for (const [i, [name, what, file, ...flags]] of stages.entries()) {
    const begun = performance.now()
    world.print(`${i + 1} of ${stages.length}: ${what}`)
    world.print(`  npx flow run ${[file, ...flags].join(' ')}`)
    const quiet = { ...world, print: () => {} }
    const code = await command(['run', file, ...flags, '--out', join(folder, name)], quiet)
    if (code !== 0) return code
    seconds.push(`${((performance.now() - begun) / 1000).toFixed(0)} s ${during[name]}`)
  }
  const before = answersOf(join(folder, 'before'))
  const after = answersOf(join(folder, 'after'))
  const { video, question } = rightlyAnswered(join(folder, 'after'))
  world.print('')
  world.print(
    `Right answers to ${after.asked} unseen questions: ${percent(before.right)} before, ${percent(after.right)} after training.`,
  )
  const { FLOW_SET_UP_SECONDS: setUp } = world.environment
  world.print(`Time: ${[...(setUp === undefined ? [] : [`${setUp} s to set up`]), ...seconds].join(', ')}.`)
  world.print(`Curves and completions with their frames: ${join(folder, 'train/report.html')}`)
  world.print(
    'Next: ask it an unseen question that it answered right, see what a run needs, train with other draws:',
  )
  world.print(
    `  npx flow run flow:infer.json --set model=${model} --set frames=8 --set video=${video} --set question="${question}"`,
  )
  world.print('  npx flow explain flow:grpo.json')
  world.print(`  npx flow run ${graph('grpo')} --seed 1`)
  return 0
}

/** What each stage did, after its time. */
const during = { before: 'to ask before', train: 'to train', after: 'to ask after' } as const

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}

/** The last line of metrics of an evaluation: how many questions were asked, and the share of right answers. */
function answersOf(run: string): { asked: number; right: number } {
  const metrics = linesOf<Record<string, number>>(join(run, 'metrics.jsonl')).at(-1) ?? {}
  return { asked: metrics.step ?? 0, right: metrics['seen/accuracy'] ?? 0 }
}

interface Row {
  problem: string
  video_filename: string
}

/**
 * The first unseen question that was answered right, and its clip; the first of all where none was. Its lines stay lines: so
 * small a model answers otherwise when they are one.
 */
function rightlyAnswered(run: string): { question: string; video: string } {
  const data = resolvePath('builtin:few-questions')
  const rows = linesOf<Row>(join(data, 'test.jsonl'))
  const samples = linesOf<{ key: string; rewards: { accuracy: number } }>(join(run, 'samples.jsonl'))
  const right = samples.find(({ rewards }) => rewards.accuracy === 1)
  // A key is the pass over the data and the row's number, from 1 on.
  const row = at(rows, right ? Number(right.key.split(':')[1]) - 1 : 0)
  return {
    question: row.problem,
    video: pathHere(join(data, row.video_filename)),
  }
}

const linesOf = <Line>(file: string): Line[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

function freshFolder(): string {
  for (let number = 1; ; number++) {
    const folder = join('runs', `start-${number}`)
    if (!existsSync(folder)) return folder
  }
}

// Last, so that everything above exists when it runs.
await program(world => start(process.argv.slice(2), world))
