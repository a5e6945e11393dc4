import { join } from 'node:path'
import { inside } from '../../shared/inside.ts'
import { isObject } from '../../shared/json.ts'
import { number } from '../../shared/number.ts'
import { flowCommand } from '../../shared/package-name.ts'
import { table } from '../../shared/table.ts'
import { onlyWord } from '../arguments.ts'
import { duration } from '../progress.ts'
import { checkpointsIn, type RunFacts, readFacts, runsIn } from '../run-facts.ts'
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
    const { manifest, status, steps, metrics, directory } = facts
    const checkpoints = await checkpointsIn(facts)
    const { seconds, error, skipped } = manifest
    const time = typeof seconds === 'number' ? `, ${duration(seconds)}` : ''
    const lost = typeof skipped === 'number' && skipped > 0 ? `, ${skipped} skipped` : ''
    const rows = [
      ['graph', String(manifest.graph)],
      ['status', `${status}, ${steps} steps${time}${lost}`],
      ...(error === undefined ? [] : [['error', isObject(error) ? String(error.message) : String(error)]]),
      ...(isObject(error) && typeof error.remedy === 'string' ? [['fix', error.remedy]] : []),
      ['seed', String(manifest.seed)],
      ...(checkpoints ? [['checkpoints', `${checkpoints.count}, newest ${checkpoints.newest}`]] : []),
      ...(checkpoints?.best
        ? [
            [
              'best',
              `${checkpoints.best.checkpoint} (${checkpoints.best.metric} ${number(checkpoints.best.value)})`,
            ],
          ]
        : []),
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
    print('next')
    for (const line of nextOf(facts, checkpoints)) print(`  ${line}`)
    return 0
  },
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
      `${flowCommand} run ${manifest.graph}   # begins anew, with a mended graph`,
    ]
  if (status !== 'completed' && keepsCheckpoints) return [resume]
  if (!checkpoints) return [`open ${join(directory, 'report.html')}`]
  const { steps } = isObject(manifest.params) ? manifest.params : {}
  const { best, newest, models } = checkpoints
  return [
    ...(typeof steps === 'number' ? [`${flowCommand} run --resume ${directory} --steps ${2 * steps}`] : []),
    ...models.map(name => {
      const model = inside(join(directory, 'checkpoints'), `${best?.checkpoint ?? newest}/${name}`)
      return `${flowCommand} run flow:infer.json --set model=${model} --set video=CLIP --set question=QUESTION`
    }),
  ]
}
