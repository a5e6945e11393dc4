import { strip } from '../../text/python.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { choicesIn, type Exported, type Files } from './export-kinds.ts'
import type { Result } from './result.ts'

/** The tasks of MVBench as the published script names and orders them. */
const mvbenchTasks =
  'Fine-grained Pose,Episodic Reasoning,Action Sequence,Action Prediction,Action Antonym,Fine-grained Action,' +
  'Unexpected Action,Object Existence,Object Interaction,Object Shuffle,Moving Direction,Action Localization,' +
  'Scene Transition,Action Count,Moving Count,Moving Attribute,State Change,Character Order,' +
  'Egocentric Navigation,Counterfactual Inference'

const mlvuTasks = 'count,ego,needle,order,plotQA,anomaly_reco,topic_reasoning'

/** The answer file that the published script of a benchmark writes. */
export function publishedFiles(exported: Exported): Files {
  const { folder, benchmark, results } = exported
  if (benchmark.name === 'mvbench') return mvbenchFile(results)
  if (benchmark.name === 'mlvu') return mlvuFile(choicesIn(exported))
  if (benchmark.name === 'mmvu') {
    const choices = choicesIn(exported)
    const share = percentOf(choices)
    return { 'mmvu.jsonl': lines([{ 'multiple-choice': share, Avg: share }, ...choices.map(answerLine)]) }
  }
  throw new EvaluationError(
    'other-benchmark',
    `${folder}: must be results of mvbench, mlvu or mmvu, found those of ${benchmark.name}, of which the published scripts write no file`,
  )
}

function mvbenchFile(results: readonly Result[]): Files {
  const parts = partsOf(results, mvbenchTasks.split(','), name => name.toLowerCase().replaceAll(/[ -]/g, '_'))
  const shares = Object.fromEntries(parts.map(([name, some]) => [name, percentOf(some)]))
  const ordered = parts.flatMap(([, some]) => some)
  // this script alone strips its outputs
  const answers = ordered.map(answerLine).map(line => ({ ...line, outputs: strip(line.outputs) }))
  return { 'mvbench.jsonl': lines([{ ...shares, Avg: percentOf(ordered) }, ...answers]) }
}

/** One object, in spite of the name of the file that the script is given. The average is the mean of the tasks. */
function mlvuFile(results: readonly Result[]): Files {
  const parts = partsOf(results, mlvuTasks.split(','), name => name)
  const shares = parts.map(([name, some]) => [name, percentOf(some)] as const)
  const mean = shares.reduce((sum, [, share]) => sum + share, 0) / shares.length
  const counts = parts.map(([name, some]) => [name, [rightOf(some), some.length]])
  const list = parts.flatMap(([name, some]) =>
    some.map(({ chosen, answer, question, clip }) => ({
      pred: chosen,
      gt: answer ?? '@',
      // with its options, without the instruction, which is the last line
      question: question.slice(0, Math.max(0, question.lastIndexOf('\n'))),
      question_type: name,
      video: clip.replace(/^video(?=\/)/, ''),
    })),
  )
  const whole = {
    final_res: { ...Object.fromEntries(shares), Avg: mean },
    acc_dict: Object.fromEntries(counts),
    res_list: list,
  }
  return { 'mlvu.jsonl': lines([whole]) }
}

/** Results by task in the order of the script, under its names; tasks of others come last. */
function partsOf(
  results: readonly Result[],
  names: readonly string[],
  taskOf: (name: string) => string,
): [string, Result[]][] {
  const own = (task: string) => task.replace(/^\d+_/, '')
  const others = [...new Set(results.map(({ tasks: [task = ''] }) => own(task)))].filter(
    task => !names.some(name => taskOf(name) === task),
  )
  return [...names, ...others]
    .map((name): [string, Result[]] => {
      const isIn = ({ tasks: [task = ''] }: Result) => own(task) === taskOf(name) || own(task) === name
      return [name, results.filter(isIn)]
    })
    .filter(([, some]) => some.length > 0)
}

const answerLine = ({ output, chosen, answer, clip }: Result) => ({
  outputs: output ?? '',
  pred: chosen,
  gt: answer ?? '@',
  path: clip,
})

const rightOf = (results: readonly Result[]): number =>
  results.filter(({ outcome }) => outcome === 'right').length

const percentOf = (results: readonly Result[]): number => (rightOf(results) / results.length) * 100

const lines = (values: readonly unknown[]): string =>
  values.map(value => `${JSON.stringify(value)}\n`).join('')
