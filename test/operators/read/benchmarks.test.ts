import { join } from 'node:path'
import t from 'tap'
import { wordsOf } from '../../../operators/eval/subtitles.ts'
import type { Question } from '../../../operators/question.ts'
import {
  findingsOf,
  inspectBenchmark,
  type Profile,
  parseShard,
  worded,
} from '../../../operators/read/benchmark.ts'
import { readLongVideoBench } from '../../../operators/read/longvideobench.ts'
import { readLvbench } from '../../../operators/read/lvbench.ts'
import { readMlvu } from '../../../operators/read/mlvu.ts'
import { readMmvu } from '../../../operators/read/mmvu.ts'
import { readMvbench } from '../../../operators/read/mvbench.ts'
import { locate } from '../../../operators/read/packed.ts'
import { readVideoMme } from '../../../operators/read/video-mme.ts'
import { thinkThenAnswer as instruction } from '../../../operators/text/prompt.ts'
import { dataOf } from '../eval/evaluate.ts'

const choice = { ...worded({ instruction, profile: 'strict' }), questions: 'choice' } as const
const mvbench = (path: string, profile: Profile) => readMvbench({ path, instruction, profile })

function one(questions: readonly Question[], id: string): Question {
  const found = questions.find(({ fields }) => fields.id === id)
  if (!found) throw new Error(`no question ${id}`)
  return found
}

t.test('each benchmark words its questions as the released scripts do', async t => {
  const mme = await readVideoMme({
    path: dataOf('video-mme'),
    instruction,
    profile: 'strict',
    duration: 'short',
    subtitles: false,
  })
  t.equal(
    mme.questions[0]?.question,
    'In which direction does the red circle travel across the picture?\nOptions:\nA. From right to left.\n' +
      `B. From bottom to top.\nC. From left to right.\nD. From top to bottom.\n${instruction}`,
  )
  t.equal(mme.questions.length, 6, 'only the short ones')
  const { questions: plots } = await readMlvu({ ...choice, path: dataOf('mlvu') })
  t.match(plots[0]?.question, /^What colour .*\?\n\(A\) Yellow\n\(B\) Blue\n\(C\) Green\n\(D\) Red\nOutput/)
  const { questions: physics } = await readMmvu({ ...choice, path: dataOf('mmvu') })
  t.match(physics[0]?.question, /in the video\?\nA\. About 10 s\n.*\nE\. About 6 s\nOutput/s)
  const [pose] = (await mvbench(dataOf('mvbench'), 'strict')).questions
  t.match(pose?.question, /clip\?\nOptions:\nA\. raise one arm\n.*\nD\. jump in place\nOutput/s)
})

t.test(
  'bounds are obeyed in the strict profile; the released scripts obey them in pictures alone',
  async t => {
    const framesOf = async (profile: 'published' | 'strict', id: string) =>
      (await mvbench(dataOf('mvbench'), profile)).questions.find(({ fields }) => fields.id === id)?.fields
        .frames
    const all = { rule: 'M', unique: false, bounded: true }
    t.strictSame(await framesOf('published', 'mvbench/episodic_reasoning/0'), all)
    t.strictSame(await framesOf('strict', 'mvbench/action_sequence/0'), all)
    t.match(await framesOf('published', 'mvbench/action_sequence/0'), { rule: 'L', bounded: false })
    t.match(await framesOf('published', 'mvbench/fine_grained_pose/0'), { rule: 'M', bounded: false })
  },
)

t.test('the other layout of MVBench has clips that are cut already', async t => {
  const path = t.testdir({
    'test.json': JSON.stringify({
      root: { action_sequence: 'star/Charades_segment' },
      meta: {
        action_sequence: [
          {
            video: 'x.mp4',
            question: 'What?',
            candidates: ['a', 'b'],
            answer: 'b',
            start: 1,
            end: 2,
            odd: 3,
          },
        ],
      },
    }),
    star: { Charades_segment: { 'x.mp4': 'x' } },
  })
  const { questions, findings } = await mvbench(path, 'strict')
  t.match(questions, [
    {
      video: join(path, 'star/Charades_segment/x.mp4'),
      fields: { answer: 'B', frames: { bounded: false, rule: 'L' } },
    },
  ])
  t.match(findings, [{ code: 'unknown-field', about: 'odd (action_sequence, 1 rows)' }])
})

t.test('the test set of MLVU has six options, and its truth in a file of its own', async t => {
  const candidates = ['u', 'v', 'w', 'x', 'y', 'z']
  const row = {
    video: 'a.mp4',
    duration: 3,
    question: 'Who?',
    candidates,
    question_type: 'ego',
    question_id: 'E_0',
  }
  const path = t.testdir({
    'test_mcq.json': JSON.stringify([row, { ...row, question_id: 'E_1', question_type: 'order' }]),
    'test-ground-truth': {
      'gt.json': JSON.stringify([
        { question_id: 'E_0', answer: 'y' },
        { question_id: 'E_1', option: 'F' },
      ]),
    },
    video: { 'a.mp4': 'x' },
  })
  const { questions } = await readMlvu({ ...choice, path })
  t.match(questions, [
    { video: join(path, 'video/a.mp4'), fields: { id: 'mlvu/E_0', tasks: ['ego'], answer: 'E' } },
    { fields: { tasks: ['order'], answer: 'F', letters: ['A', 'B', 'C', 'D', 'E', 'F'] } },
  ])
})

t.test('LVBench has its options inside the question and may give it several types', async t => {
  const qa = [
    {
      uid: '7',
      question: 'What is shown?\n(A) A cat\n(B) A dog',
      answer: 'B',
      question_type: ['reasoning', 'entity recognition'],
      time_reference: '00:01-00:02',
    },
  ]
  const path = t.testdir({
    'video_info.meta.jsonl': `${JSON.stringify({ key: 'abc', type: 'cartoon', video_info: {}, qa })}\n`,
    videos: { 'abc.mp4': 'x' },
  })
  const { questions } = await readLvbench({ path, instruction })
  t.match(questions, [
    {
      video: join(path, 'videos/abc.mp4'),
      fields: { options: ['A cat', 'A dog'], answer: 'B', tasks: ['reasoning', 'entity recognition'] },
    },
  ])
})

t.test('subtitles of LongVideoBench stand between marks for the frames', async t => {
  const path = dataOf('longvideobench')
  const { questions } = await readLongVideoBench({ path, instruction: 'Answer.', subtitles: true })
  const words = await wordsOf(one(questions, 'longvideobench/Sy0LongVid2_0'), {
    seconds: [0, 1, 2, 3, 4, 5, 6],
    durationSeconds: 7,
  })
  t.match(
    words,
    /^subtitles:\[image\]we begin on the left\[image\]\[image\]moving right.*\nquestion: \nQuestion: After/,
  )
  const mme = await readVideoMme({
    path: dataOf('video-mme'),
    instruction,
    profile: 'strict',
    duration: 'short',
    subtitles: true,
  })
  const first = await wordsOf(one(mme.questions, 'videomme/001-1'), { seconds: [0.5, 3], durationSeconds: 4 })
  t.match(
    first,
    /^This video's subtitles are listed below:\nThe red circle starts its trip\.\nAnd here it arrives\.\nIn/,
  )
  const located = await locate(dataOf('video-mme'), mme.questions)
  const silent = one(located.questions, 'videomme/002-1')
  t.notMatch(await wordsOf(silent, { seconds: [0], durationSeconds: 1 }), /subtitles/)
})

t.test(
  'the base system asks in other words: for a letter, and without a line of its own before the options',
  async t => {
    const base = worded({ instruction: '', profile: 'base' })
    const ending = "\nAnswer with the option's letter from the given choices directly."
    const mme = await readVideoMme({
      ...base,
      path: dataOf('video-mme'),
      duration: 'short',
      subtitles: false,
    })
    t.match(
      one(mme.questions, 'videomme/001-1').question,
      /^[^\n]*\nA\. [^\n]*\nB\. [^\n]*\nC\. [^\n]*\nD\. [^\n]*\nAnswer with/,
    )
    const bench = await readMvbench({ ...base, path: dataOf('mvbench') })
    const pose = one(bench.questions, 'mvbench/fine_grained_pose/0')
    const { options } = pose.fields
    const lines = options.map((option, i) => `(${'ABCDE'[i]}) ${option}`).join('\n')
    t.ok(pose.question.endsWith(`\n${lines}${ending}`), pose.question)
    t.notMatch(pose.question, /Options:/)
    const strict = await mvbench(dataOf('mvbench'), 'strict')
    t.match(one(strict.questions, 'mvbench/fine_grained_pose/0').question, /\nOptions:\nA\. /)
    const { questions: plots } = await readMlvu({ ...base, path: dataOf('mlvu'), questions: 'choice' })
    t.match(
      one(plots, 'mlvu/1_plotQA/0').question,
      /\n\(A\) [\s\S]*\n\(D\) [^\n]*\nAnswer with the option's letter/,
    )
    const { questions: physics, excluded } = await readMmvu({
      ...base,
      path: dataOf('mmvu'),
      questions: 'all',
    })
    t.equal(excluded.length, 0)
    t.ok(
      physics.every(({ question, fields }) =>
        question.endsWith(fields.open ? '\nAnswer the question directly without explanation.' : ending),
      ),
    )
    const stated = worded({ instruction: 'Say it.', profile: 'base' })
    t.match(stated, { instruction: 'Say it.', openInstruction: 'Say it.', captionInstruction: 'Say it.' })
  },
)

t.test('a check counts what is missing, unwinnable, repeated and unknown', async t => {
  const read = () => mvbench(dataOf('mvbench'), 'strict')
  const lines = await inspectBenchmark({ ...choice, path: dataOf('mvbench') }, read)
  t.equal(lines[0], '16 questions')
  t.match(lines[1], /^1 missing-clip: mvbench\/moving_count\/1 \(.*video_90999\.mp4\)$/)
  t.match(await inspectBenchmark({ ...choice, path: dataOf('mlvu') }, readMlvu), [
    '9 questions',
    '1 not-asked: mlvu/9_summary/0 (generation)',
    '1 unwinnable (no right answer to compare with: whatever the model answers counts as wrong): mlvu/2_needle/1',
  ])
  const first = one((await read()).questions, 'mvbench/fine_grained_pose/0')
  const twice = { ...first, fields: { ...first.fields, options: ['same', 'same'] } }
  const codes = findingsOf([first, twice]).map(({ code }) => code)
  t.strictSame(codes, ['repeated-option', 'duplicate-id', 'duplicate-question'])
})

t.test('a shard must be a part of the whole', async t => {
  t.strictSame(parseShard('2/3'), { shard: 2, shards: 3 })
  for (const text of ['0/3', '4/3', '1', 'a/b']) t.throws(() => parseShard(text), { code: 'bad-shard' }, text)
})
