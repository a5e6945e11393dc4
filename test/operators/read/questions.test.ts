import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import questions, { parseQuestions } from '../../../operators/read/questions.ts'
import { runGraph } from '../run-graph.ts'

const line = (number: number, parts: object = {}) =>
  JSON.stringify({
    problem_id: number,
    problem: `question ${number}`,
    solution: '<answer> B </answer>',
    video_filename: `./clips/${number}.mp4`,
    ...parts,
  })

const lines = (count: number) => Array.from({ length: count }, (_, i) => line(i)).join('\n')

async function read(t: Test, text: string, config: object = {}, seed = 0) {
  const directory = t.testdir({ 'train.jsonl': text })
  const path = join(directory, 'train.jsonl')
  const nodes = {
    samples: { operator: 'read.questions', config: { path, ...config } },
    sink: { operator: 'collect', from: { items: 'samples.samples' } },
  }
  const run = await runGraph({ nodes }, { 'read.questions': questions }, { directory, seed })
  return { ...run, directory, path, keys: run.items.map(item => item.key) }
}

t.test('a line becomes a sample: the clip under the root, other fields kept', async t => {
  const { items, directory } = await read(t, `${line(7)}\n\n`)
  t.same(items, [
    {
      key: '1:1',
      value: {
        video: join(directory, 'clips/7.mp4'),
        question: 'question 7',
        solution: '<answer> B </answer>',
        fields: { problem_id: 7 },
      },
    },
  ])
})

t.test('the root replaces only the first character of the name, as published', t => {
  const [sample] = parseQuestions('x.jsonl', line(1, { video_filename: './a/./b.mp4' }), '/data')
  t.equal(sample?.value.video, '/data/a/b.mp4')
  t.end()
})

t.test('a question without a solution is a sample without one', t => {
  const [sample] = parseQuestions('x.jsonl', line(1, { solution: undefined }), '/data')
  t.notOk('solution' in (sample?.value ?? {}))
  t.end()
})

t.test('order and length: as written, shuffled by the seed, limited, repeated', async t => {
  const text = lines(20)
  const plain = await read(t, text)
  t.same(
    plain.keys,
    Array.from({ length: 20 }, (_, i) => `1:${i + 1}`),
  )
  const one = await read(t, text, { shuffle: true, epochs: 2 }, 1)
  t.equal(new Set(one.keys).size, 40)
  t.not(one.keys.slice(0, 20).join(), plain.keys.join())
  const order = (keys: readonly string[]) => keys.map(key => key.slice(2)).join()
  t.not(order(one.keys.slice(20)), order(one.keys.slice(0, 20)), 'another order in the second epoch')
  t.same((await read(t, text, { shuffle: true, epochs: 2 }, 1)).keys, one.keys)
  t.notSame((await read(t, text, { shuffle: true, epochs: 2 }, 2)).keys, one.keys)
  t.same((await read(t, text, { epochs: 0, limit: 41 })).keys.slice(-2), ['2:20', '3:1'])
})

t.test('every bad line is told with its number and what would be right', async t => {
  const bad = [
    line(0),
    '{"problem": ',
    '[1]',
    line(1, { problem: 3 }),
    line(2, { video_filename: undefined }),
    line(3, { video_filename: '/clips/3.mp4' }),
    line(4, { solution: null }),
    line(5, { video_filename: './clips/../../5.mp4' }),
  ]
  const { status, error, path } = await read(t, bad.join('\n'))
  t.equal(status, 'failed')
  const expected = [
    `${path}:2: not JSON: `,
    `${path}:3: must be an object`,
    `${path}:4: problem: must be text, found 3`,
    `${path}:5: video_filename: must be text, it is missing`,
    `${path}:6: video_filename: must name a file inside ${dirname(path)}, the folder of the data or the one that root names, found "/clips/3.mp4"; --set nodes.samples.config.root=/ allows any folder; 2 of 8 rows break this rule, also line 8`,
    `${path}:7: solution: must be text, found null`,
  ]
  for (const text of expected) t.ok(error?.message.includes(text), text)
})

t.test('a rule that many lines break is told once, with their number and the first of them', t => {
  const text = [line(0), ...Array.from({ length: 12 }, () => line(1, { problem: 3 }))].join('\n')
  t.throws(() => parseQuestions('x.jsonl', text, '/'), {
    code: 'bad-question',
    message:
      'x.jsonl:2: problem: must be text, found 3; 12 of 13 rows break this rule, also lines 3, 4, 5, 6, 7, …',
  })
  t.end()
})

t.test('an empty file and an absent one are errors', async t => {
  t.throws(() => parseQuestions('x.jsonl', '\n', '/'), {
    code: 'no-questions',
    message: 'x.jsonl: no question in it',
  })
  const { error } = await read(t, line(1), { path: '/no/such/file.jsonl' })
  t.match(error?.message, '/no/such/file.jsonl: cannot be read')
})

t.test('a check finds the clips that are missing, empty or cut, and says how many rows fail', async t => {
  const cut = Buffer.alloc(16)
  cut.writeUInt32BE(8, 0)
  cut.write('ftyp', 4)
  cut.writeUInt32BE(900, 8)
  cut.write('moov', 12)
  const clips = { '0.mp4': cut.subarray(0, 8), '1.mp4': cut, '2.mp4': '' }
  const directory = t.testdir({ 'train.jsonl': `${lines(4)}\n${line(1)}`, clips })
  const path = join(directory, 'train.jsonl')
  const settings = {
    path,
    root: '',
    columns: {},
    answerForm: 'letter' as const,
    shuffle: false,
    limit: 0,
    epochs: 1,
  }
  const known = { sizes: () => ({}), outline: () => t.fail('asks for no outline') as never }
  const at = (name: string) => join(directory, `clips/${name}.mp4`)
  const [remark, finding] = (await questions.inspect?.(settings, known)) ?? []
  t.match(remark, /^5 questions about 4 clips; all rows were read/)
  t.match(finding, { field: 'path', code: 'broken-clips', failing: { items: 5, of: 5 } })
  const told = typeof finding === 'object' && 'lines' in finding ? finding.lines : []
  t.strictSame(told.slice(0, 3), [
    `1 cut-clip: ${at('1')} (${path}:2: the part "moov" ends at byte 908, the file at byte 16)`,
    `1 empty-clip: ${at('2')} (${path}:3)`,
    `1 missing-clip: ${at('3')} (${path}:4)`,
  ])
  t.match(told[3], /1 undecodable-clip: .*0\.mp4/, 'nothing of it decodes')
  const of = async (path: string) => questions.inspect?.({ ...settings, path }, known)
  await t.rejects(of('builtin:cold-start/none.jsonl'), { code: 'unknown-builtin' })
  const cache = process.env.FLOW_CACHE
  t.teardown(() => {
    if (cache === undefined) delete process.env.FLOW_CACHE
    else process.env.FLOW_CACHE = cache
  })
  process.env.FLOW_CACHE = t.testdir()
  t.strictSame(await of('builtin:shapes/none.jsonl'), [], 'what is not made yet is made by the run')
})
