import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { settingsAsTrained } from '../../../operators/model/asked.ts'
import { inside } from '../../shared/inside.ts'
import { isObject } from '../../shared/json.ts'
import { number } from '../../shared/number.ts'
import { flowCommand } from '../../shared/package-name.ts'
import { table } from '../../shared/table.ts'
import { onlyWord } from '../arguments.ts'
import { duration } from '../progress.ts'
import { checkpointsIn, type RunFacts, readFacts, runsIn } from '../run-facts.ts'
import { commandOf, doneOf, graphOf, modelsOf, type RunScore, scoresOf, startOf } from '../run-words.ts'
import type { Verb } from '../verb.ts'

export const show: Verb = {
  summary: 'Says how a run stands: status, checkpoints, newest metrics, the next command.',
  usage: '[RUN]',
  flags: {},
  example: ['npx flow run flow:grpo.json --set steps=2 --out runs/shown', 'npx flow show runs/shown'].join(
    '\n',
  ),
  run: async (words, { print }) => {
    const newest = words.positional.length === 0 ? runsIn('runs').at(-1) : undefined
    const facts = readFacts(newest ?? onlyWord(words, 'run directory'))
    const { manifest, status, metrics, directory } = facts
    const checkpoints = await checkpointsIn(facts)
    const { seconds, error, skipped } = manifest
    const best = checkpoints?.best
    const rows = [
      ['graph', graphOf(manifest)],
      ...modelsOf(manifest).map(([name, model]) => [
        'model',
        name === 'model' ? model : `${model} (${name})`,
      ]),
      ['status', [status, doneOf(facts), skipped ? `${skipped} skipped` : ''].filter(Boolean).join(', ')],
      ['started', startOf(manifest)],
      ...(typeof seconds === 'number' ? [['time', duration(seconds)]] : []),
      ...(error === undefined ? [] : [['error', isObject(error) ? String(error.message) : String(error)]]),
      ...(isObject(error) && typeof error.remedy === 'string' ? [['fix', error.remedy]] : []),
      ['seed', String(manifest.seed)],
      ...scoresOf(manifest).map(score => ['result', scoreText(score)]),
      ...(checkpoints ? [['checkpoints', `${checkpoints.count}, newest ${checkpoints.newest}`]] : []),
      ...(best ? [['best', `${best.checkpoint} (${best.metric} ${number(best.value)})`]] : []),
    ]
    print(directory)
    for (const line of table(rows, '  ')) print(line)
    const values = Object.entries(metrics).filter(([name]) => name !== 'step')
    if (values.length > 0) print('newest metrics')
    for (const line of table(
      values.map(([name, value]) => [name, number(value)]),
      '  ',
    ))
      print(line)
    const next = nextOf(facts, checkpoints)
    if (next.length > 0) print('next')
    for (const line of next) print(`  ${line}`)
    return 0
  },
}

/** A score with its 95 % interval and where all of it is. */
function scoreText({ folder, benchmark, score, accuracy, low, high, questions }: RunScore): string {
  const percent = (value: number) => (100 * value).toFixed(1)
  const interval = low === undefined || high === undefined ? '' : ` (${percent(low)} to ${percent(high)})`
  const told = accuracy === undefined ? 'no accuracy' : `${score} accuracy ${percent(accuracy)} %${interval}`
  return `${benchmark}: ${told}, ${questions} questions, in ${folder}`
}

/** Commands to go on with. */
function nextOf(
  { directory, status, manifest }: RunFacts,
  checkpoints: Awaited<ReturnType<typeof checkpointsIn>>,
): string[] {
  if (status === 'running') return [`${flowCommand} top ${directory}`]
  const resume = `${flowCommand} run --resume ${directory}`
  const keepsCheckpoints = isObject(manifest.resolved) && isObject(manifest.resolved.checkpoint)
  if (status === 'failed')
    return [
      'first mend the cause, the error above; then',
      ...(keepsCheckpoints
        ? [
            `${resume}   # goes on; it knows only the graph that it began with`,
            `${resume} --accept-changes   # if data, a model or a plugin was mended`,
          ]
        : []),
      `${flowCommand} ${commandOf(manifest)}   # begins anew, with a mended graph`,
    ]
  if (status !== 'completed' && keepsCheckpoints) return [resume]
  const reports = [directory, ...scoresOf(manifest).map(({ folder }) => folder)]
    .map(folder => join(folder, 'report.html'))
    .filter(existsSync)
  if (!checkpoints) return reports.map(report => `open ${report}`)
  const { steps } = isObject(manifest.params) ? manifest.params : {}
  // a run whose data makes no more updates says so; where it cannot tell, more may be done
  const more = typeof manifest.nextSteps === 'number' ? manifest.nextSteps : 2 * Number(steps)
  const { best, newest, models } = checkpoints
  return [
    ...(more > Number(steps) ? [`${flowCommand} run --resume ${directory} --steps ${more}`] : []),
    ...models.map(name => {
      const model = inside(join(directory, 'checkpoints'), `${best?.checkpoint ?? newest}/${name}`)
      const settings = settingsAsTrained(model).map(one => ` --set ${one}`)
      return `${flowCommand} run flow:infer.json --set model=${model}${settings.join('')} --set video=CLIP --set question=QUESTION`
    }),
  ]
}
