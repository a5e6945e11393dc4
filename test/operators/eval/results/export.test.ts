import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type ExportForm, exportResults } from '../../../../operators/eval/results/export.ts'
import type { Result } from '../../../../operators/eval/results/result.ts'
import { agreeOnRecipe, putResult, writeBenchmark } from '../../../../operators/eval/results/store.ts'

const result = (id: string, rest: Partial<Result> = {}): Result => ({
  id,
  benchmark: 'made',
  tasks: ['order'],
  groups: {},
  clip: 'data/one.mp4',
  question: 'Which?\nA. x\nB. y\nSay a letter.',
  options: ['A. x', 'B. y'],
  letters: ['A', 'B'],
  answer: 'A',
  outcome: 'right',
  chosen: 'A',
  drawn: false,
  output: '<answer> A </answer>',
  tokens: 3,
  finished: true,
  prompt: 'USER: Which?',
  indices: [],
  framesPerSecond: null,
  sheet: null,
  message: null,
  ...rest,
})

const wrong = { outcome: 'wrong', chosen: 'B', output: '<answer> B </answer>' } as const
const openAnswer = {
  ...wrong,
  letters: [],
  options: [],
  chosen: null,
  open: { rule: 'answer', words: 'Which?' },
} as const
const unread = { outcome: 'unparsed', chosen: null, output: 'hm' } as const

/** Exports these results; returns the texts by the names of the files. */
function exported(folder: string, name: string, form: ExportForm, results: readonly Result[]) {
  const from = written(folder, name, results)
  const out = join(folder, 'out')
  const { paths } = exportResults(from, form, out)
  return Object.fromEntries(paths.map(path => [path.slice(out.length + 1), readFileSync(path, 'utf8')]))
}

/** Writes a folder of these results; returns its path. */
function written(folder: string, name: string, results: readonly Result[], more: readonly string[] = []) {
  const from = join(folder, 'from')
  agreeOnRecipe(from, { benchmark: name, answers: 'model', model: '/models/small one' })
  const questions = [...results.map(({ id, clip }) => ({ id, clip })), ...more.map(id => ({ id, clip: id }))]
  const rest = { excluded: [], findings: [], shard: 1, shards: 1 }
  writeBenchmark(from, { name, headline: name === 'mlvu' ? 'tasks' : 'micro', questions, ...rest })
  for (const one of results) putResult(from, one)
  return from
}

const linesOf = (text = '') =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

t.test('Video-MME is submitted by clip, with the keys of its template', async t => {
  const groups = { duration: 'short', domain: 'Knowledge', sub_category: 'Law' }
  const files = exported(t.testdir(), 'video-mme', 'video-mme', [
    result('videomme/412-1', { groups, tasks: ['OCR Problems'] }),
    result('videomme/412-2', { groups, ...unread }),
    result('videomme/7-1', { groups, clip: 'data/two.mp4', ...wrong }),
  ])
  const rows = JSON.parse(files['video-mme.json'] ?? '')
  t.strictSame(rows[0], {
    video_id: '412',
    duration_category: 'short',
    video_category: 'Knowledge',
    video_subcategory: 'Law',
    questions: [
      {
        question_id: '412-1',
        task_type: 'OCR Problems',
        question: 'Which?',
        choices: ['A. x', 'B. y'],
        answer: 'A',
        response: 'A',
      },
      {
        question_id: '412-2',
        task_type: 'order',
        question: 'Which?',
        choices: ['A. x', 'B. y'],
        answer: 'A',
        response: '',
      },
    ],
  })
  t.match(rows[1], { video_id: '7', questions: [{ question_id: '7-1', response: 'B' }] })
})

t.test("MLVU's test set is submitted as a list of options; its development set is refused", async t => {
  const files = exported(t.testdir(), 'mlvu', 'mlvu-test', [
    result('mlvu/AR_0', { tasks: ['anomaly_reco'] }),
    result('mlvu/AO_3', wrong),
    result('mlvu/SSC_1', openAnswer),
  ])
  t.strictSame(JSON.parse(files['test_res.json'] ?? ''), [
    { question_id: 'AR_0', question_type: 'anomaly_reco', option: 'A' },
    { question_id: 'AO_3', question_type: 'order', option: 'B' },
  ])
  t.throws(() => exported(t.testdir(), 'mlvu', 'mlvu-test', [result('mlvu/SSC_1', openAnswer)]), {
    message: /from: must hold answers to questions with options/,
  })
  t.throws(() => exported(t.testdir(), 'mlvu', 'mlvu-test', [result('mlvu/5_order/0')]), {
    code: 'other-benchmark',
    message: /must be results of MLVU's test set, found mlvu\/5_order\/0/,
  })
  const folder = t.testdir()
  t.throws(() => exported(folder, 'mlvu', 'lvbench', [result('mlvu/AR_0')]), {
    code: 'other-benchmark',
    message: `${folder}/from: must be results of lvbench, found those of mlvu`,
  })
})

t.test('LVBench is submitted as letters by id, with accuracies by type', async t => {
  const files = exported(t.testdir(), 'lvbench', 'lvbench', [
    result('lvbench/10', { tasks: ['reasoning', 'summarization'] }),
    result('lvbench/11', { tasks: ['reasoning'], ...wrong }),
  ])
  t.strictSame(JSON.parse(files['answers.json'] ?? ''), { 10: 'A', 11: 'B' })
  t.strictSame(JSON.parse(files['result.json'] ?? ''), { Rea: 0.5, Sum: 1, Overall: 0.5 })
})

t.test(
  'the published script of MVBench writes accuracies, then answers in the order of its tasks',
  async t => {
    const files = exported(t.testdir(), 'mvbench', 'published', [
      result('mvbench/action_count/0', { tasks: ['action_count'], answer: null, ...wrong }),
      result('mvbench/fine_grained_pose/0', {
        tasks: ['fine_grained_pose'],
        output: ' <answer> A </answer>\n',
      }),
    ])
    t.strictSame(linesOf(files['mvbench.jsonl']), [
      { 'Fine-grained Pose': 100, 'Action Count': 0, Avg: 50 },
      { outputs: '<answer> A </answer>', pred: 'A', gt: 'A', path: 'data/one.mp4' },
      { outputs: '<answer> B </answer>', pred: 'B', gt: '@', path: 'data/one.mp4' },
    ])
  },
)

t.test('the published script of MLVU writes one object, with the mean of the tasks', async t => {
  const files = exported(t.testdir(), 'mlvu', 'published', [
    result('mlvu/2_needle/0', { tasks: ['2_needle'] }),
    result('mlvu/2_needle/1', { tasks: ['2_needle'], ...wrong }),
    result('mlvu/4_count/0', { tasks: ['4_count'], clip: 'video/4_count/c.mp4' }),
  ])
  const [whole] = linesOf(files['mlvu.jsonl'])
  t.strictSame(whole.final_res, { count: 100, needle: 50, Avg: 75 })
  t.strictSame(whole.acc_dict, { count: [1, 1], needle: [1, 2] })
  t.match(whole.res_list[2], { pred: 'B', gt: 'A', question_type: 'needle', video: 'data/one.mp4' })
  t.match(whole.res_list[0], { question: 'Which?\nA. x\nB. y', video: '/4_count/c.mp4' })
  t.equal(whole.res_list.length, 3)
})

t.test('the published script of MMVU writes accuracies, then answers; that of Video-MME nothing', async t => {
  const files = exported(t.testdir(), 'mmvu', 'published', [
    result('mmvu/1'),
    result('mmvu/2', unread),
    result('mmvu/3', openAnswer),
  ])
  const [first, ...answers] = linesOf(files['mmvu.jsonl'])
  t.strictSame(first, { 'multiple-choice': 50, Avg: 50 })
  t.equal(answers.length, 2, 'it asks no open question')
  t.strictSame(answers[1], { outputs: 'hm', pred: null, gt: 'A', path: 'data/one.mp4' })
  t.throws(() => exported(t.testdir(), 'mmvu', 'published', [result('mmvu/3', openAnswer)]), {
    message: /from: must hold answers to questions with options/,
  })
  t.throws(() => exported(t.testdir(), 'video-mme', 'published', [result('videomme/1-1')]), {
    code: 'other-benchmark',
  })
})

t.test('results in the form of lmms-eval: a file of results, and one of samples for each task', async t => {
  const files = exported(t.testdir(), 'mvbench', 'lmms-eval', [
    result('mvbench/action_count/0', { tasks: ['action_count'], ...wrong }),
    result('mvbench/state_change/0', { tasks: ['state_change'] }),
    result('mvbench/state_change/1', { tasks: ['state_change'], ...wrong, output: null, chosen: null }),
  ])
  t.strictSame(Object.keys(files), [
    'results.json',
    'samples_mvbench_action_count.jsonl',
    'samples_mvbench_state_change.jsonl',
  ])
  const whole = JSON.parse(files['results.json'] ?? '')
  t.match(whole.results, {
    mvbench: {
      alias: 'mvbench',
      'mvbench_accuracy,none': (1 / 3) * 100,
      'mvbench_accuracy_stderr,none': 'N/A',
    },
    mvbench_action_count: { 'mvbench_accuracy,none': 0 },
    mvbench_state_change: { 'mvbench_accuracy,none': 50 },
  })
  t.match(whole, {
    group_subtasks: { mvbench: ['mvbench_action_count', 'mvbench_state_change'] },
    'n-samples': { mvbench_state_change: { original: 2, effective: 2 } },
    config: { model_args: 'pretrained=/models/small one' },
  })
  const samples = linesOf(files['samples_mvbench_state_change.jsonl'])
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  t.match(samples[0], {
    doc_id: 0,
    target: 'A',
    filtered_resps: ['<answer> A </answer>'],
    prompt_hash: hash('USER: Which?'),
    target_hash: hash('A'),
    input: 'USER: Which?',
    mvbench_accuracy: { question_id: 'state_change/0', pred_answer: 'A', answer: 'A', score: 1 },
  })
  t.match(samples[1], { doc_id: 1, filtered_resps: [''], mvbench_accuracy: { pred_answer: '', score: 0 } })
  const hashes = samples.map(({ doc_hash }, i) => `sample_${i}${doc_hash}`)
  t.equal(whole.task_hashes.mvbench_state_change, hash(hashes.join('')))
})

t.test('lmms-eval averages Video-MME over all questions', async t => {
  const groups = { duration: 'short', domain: 'Knowledge', sub_category: 'Law' }
  const files = exported(t.testdir(), 'video-mme', 'lmms-eval', [
    result('videomme/1-1', { groups }),
    result('videomme/1-2', { groups, ...wrong }),
  ])
  t.match(JSON.parse(files['results.json'] ?? '').results, {
    videomme: { 'videomme_perception_score,none': 50 },
  })
  t.match(linesOf(files['samples_videomme.jsonl'])[0].videomme_perception_score, {
    question_id: '1-1',
    duration: 'short',
    category: 'Knowledge',
    sub_category: 'Law',
    task_category: 'order',
    videoID: 'one',
  })
})

t.test('a folder that lacks questions says how many it holds', async t => {
  const answers = [result('lvbench/1'), result('lvbench/2', unread)]
  const lackOf = (more?: readonly string[]) => {
    const folder = t.testdir()
    return exportResults(written(folder, 'lvbench', answers, more), 'lvbench', join(folder, 'out')).lack
  }
  t.equal(lackOf(), undefined)
  t.match(lackOf(['lvbench/3']), /from: holds 2 of 3 questions/)
})
