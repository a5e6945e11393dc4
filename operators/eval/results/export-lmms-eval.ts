import { createHash } from 'node:crypto'
import type { Exported, Files } from './export-kinds.ts'
import { repeatsOf } from './recipe-fields.ts'
import { meanWorth } from './repeats.ts'
import { headingOf } from './report-heading.ts'
import type { Result } from './result.ts'
import { type Score, summarise } from './summary.ts'

/** The names that lmms-eval has for a benchmark and its metric; its average of Video-MME is over all questions. */
const tasks: Readonly<Record<string, { task: string; metric: string; average?: string }>> = {
  'video-mme': { task: 'videomme', metric: 'videomme_perception_score', average: 'micro' },
  mvbench: { task: 'mvbench', metric: 'mvbench_accuracy' },
  mlvu: { task: 'mlvu_dev', metric: 'mlvu_perception_score' },
  'vsi-bench': { task: 'vsibench', metric: 'vsibench_score' },
}

/**
 * `results.json` and the samples of each task, as lmms-eval logs them. Its digests of documents are those of the row as
 * it was downloaded, which the results do not hold; here they are of the question, its options and its answer.
 */
export function lmmsEvalFiles(exported: Exported): Files {
  const { benchmark, recipe, results, answers } = exported
  const all = new Map(answers.flatMap(one => (one[0] ? [[one[0].id, one] as const] : [])))
  const answersTo = (result: Result) => all.get(result.id) ?? [result]
  const { task, metric, average } = tasks[benchmark.name] ?? { task: benchmark.name, metric: 'accuracy' }
  const parts = partsOf(exported, task)
  const isGroup = parts.length > 1
  const scoreIn = (some: readonly Result[]): Score | undefined => {
    const { scores } = summarise(benchmark, recipe, some.flatMap(answersTo), [])
    return scores.find(({ name }) => name === average) ?? scores[0]
  }
  const entry = (name: string, some: readonly Result[]) => ({
    alias: name,
    [`${metric},none`]: (scoreIn(some)?.mean ?? Number.NaN) * 100,
    [`${metric}_stderr,none`]: 'N/A',
  })
  const samples = parts.map(
    ([name, some]) => [name, some.map((one, i) => sampleOf(answersTo(one), one, i, metric))] as const,
  )
  const byPart = <T>(value: (some: readonly Result[], name: string) => T) =>
    Object.fromEntries(parts.map(([name, some]) => [name, value(some, name)]))
  const group = { [task]: entry(task, results) }
  const { model } = headingOf('', recipe)
  const whole = {
    results: { ...(isGroup && group), ...byPart((some, name) => entry(name, some)) },
    ...(isGroup && { groups: group }),
    group_subtasks: isGroup ? { [task]: parts.map(([name]) => name) } : { [task]: [] },
    configs: byPart((_, name) => ({
      task: name,
      output_type: 'generate_until',
      repeats: repeatsOf(recipe),
      metadata: recipe,
    })),
    versions: byPart(() => 'N/A'),
    'n-shot': byPart(() => 0),
    higher_is_better: byPart(() => ({ [metric]: true })),
    'n-samples': byPart(some => ({ original: some.length, effective: some.length })),
    config: { model: 'flow', model_args: `pretrained=${model}`, batch_size: 1, limit: null },
    task_hashes: Object.fromEntries(
      samples.map(([name, lines]) => [
        name,
        hash(lines.map(({ doc_hash }, i) => `sample_${i}${doc_hash}`).join('')),
      ]),
    ),
    model_source: 'flow',
    model_name: model,
    model_name_sanitized: model.replaceAll(/[^\w.-]+/g, '__'),
  }
  return {
    'results.json': `${JSON.stringify(whole, null, 2)}\n`,
    ...Object.fromEntries(
      samples.map(([name, lines]) => [
        `samples_${name}.jsonl`,
        lines.map(line => `${JSON.stringify(line)}\n`).join(''),
      ]),
    ),
  }
}

/** MVBench is a group of a task for each of its kinds of questions. */
function partsOf({ benchmark, results }: Exported, task: string): [string, readonly Result[]][] {
  if (benchmark.name !== 'mvbench') return [[task, results]]
  const kinds = [...new Set(results.flatMap(({ tasks }) => tasks))]
  return kinds.map(kind => [`${task}_${kind}`, results.filter(result => result.tasks.includes(kind))])
}

function sampleOf(answers: readonly Result[], result: Result, index: number, metric: string) {
  const { id, tasks, groups, clip, question, options, answer, chosen, prompt } = result
  const outputs = answers.map(({ output }) => output ?? '')
  const target = answer ?? ''
  const input = prompt ?? question
  const { duration, domain, sub_category } = groups
  return {
    doc_id: index,
    target,
    // the responses before filters are left out where filters change nothing, but those of several answers are together
    ...(outputs.length > 1 && { resps: [outputs] }),
    filtered_resps: outputs,
    doc_hash: hash(JSON.stringify({ id, question, options, answer })),
    prompt_hash: hash(input),
    target_hash: hash(target),
    [metric]: {
      question_id: id.slice(id.indexOf('/') + 1),
      ...(duration !== undefined && { duration }),
      ...(domain !== undefined && { category: domain }),
      ...(sub_category !== undefined && { sub_category }),
      task_category: tasks.join(', '),
      pred_answer: chosen ?? '',
      answer: target,
      score: meanWorth(answers),
      videoID: clip.replace(/^.*\//, '').replace(/\.[^.]*$/, ''),
    },
    input,
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
