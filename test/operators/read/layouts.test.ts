import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { archivesIn, unpackCommand } from '../../../operators/files/archives.ts'
import { findingsOf, inspectBenchmark, worded } from '../../../operators/read/benchmark.ts'
import { benchmarkRoot, clipFinder } from '../../../operators/read/benchmark-folder.ts'
import { optionsIn } from '../../../operators/read/inline-options.ts'
import { readLongVideoBench } from '../../../operators/read/longvideobench.ts'
import { readLvbench } from '../../../operators/read/lvbench.ts'
import { readMlvu } from '../../../operators/read/mlvu.ts'
import { readMvbench } from '../../../operators/read/mvbench.ts'
import { locate } from '../../../operators/read/packed.ts'
import { tarGzOf, tarOf, zipOf } from '../files/make-archives.ts'

const instruction = 'Answer.'
const choice = { ...worded({ instruction, profile: 'strict' }), questions: 'choice' } as const

function write(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
}

const mlvuRow = { video: 'v.mp4', question: 'Who? ', candidates: ['a', 'b', 'c '], question_type: 'ego' }
const mvbenchRow = { video: 'k.mp4', question: 'What?', candidates: ['x', 'y '], answer: 'x' }

t.test(
  'the test set of MLVU is read as it is downloaded: clips below, the truth with the questions again',
  async t => {
    const path = t.testdir()
    const row = { ...mlvuRow, question_id: 'E_7' }
    const open = { video: 'v.mp4', question: 'Tell.', question_type: 'summary', question_id: 'S_1' }
    write(path, {
      'test_multi_choice_tasks.json': JSON.stringify([row]),
      'test_generation_tasks.json': JSON.stringify([open]),
      'test-ground-truth/mcq.json': JSON.stringify([{ ...row, answer: 'b' }]),
      'test-ground-truth/vs.json': JSON.stringify([{ ...open, answer: 'A story.' }]),
      'MLVU_Test/test_question.json': JSON.stringify([row]),
      'MLVU_Test/video/v.mp4': 'x',
    })
    for (const folder of [path, join(path, 'MLVU_Test')]) {
      const { questions, excluded } = await readMlvu({ ...choice, path: folder })
      t.match(questions, [
        { video: join(path, 'MLVU_Test/video/v.mp4'), fields: { id: 'mlvu/E_7', answer: 'B' } },
      ])
      t.equal(questions.length, 1)
      t.ok(excluded.length <= 1)
    }
  },
)

t.test('a benchmark is found in a folder of its name inside the folder given', async t => {
  const path = t.testdir()
  write(path, {
    'MLVU/json/3_ego.json': JSON.stringify([{ ...mlvuRow, answer: 'a' }]),
    'MLVU/json/._3_ego.json': 'a copy of macOS',
    'MLVU/video/3_ego/v.MKV': 'x',
  })
  const { questions } = await readMlvu({ ...choice, path })
  t.match(questions, [{ video: join(path, 'MLVU/video/3_ego/v.MKV'), fields: { clip: 'video/3_ego/v.MKV' } }])
  t.equal(
    questions[0]?.question,
    'Who? \n(A) a\n(B) b\n(C) c\nAnswer.',
    'space is cut after the options alone',
  )
  t.equal(benchmarkRoot(path, ['nothing']), path, 'else the folder given')
})

t.test(
  'a clip is found by its stem with any ending of a video, but never by a name in other letters',
  async t => {
    const path = t.testdir()
    write(path, { 'a/Qx1.WebM': '', 'a/Qx1.json': '', 'a/._Zz9.mp4': '', 'b/Zz9.avi': '' })
    const find = clipFinder(path)
    t.equal(find(['a/Qx1.mp4']), join(path, 'a/Qx1.WebM'))
    t.equal(find(['a/qx1.mp4', 'b/qx1.mp4']), join(path, 'a/qx1.mp4'), 'missing')
    t.equal(find(['a/Zz9.mp4', 'b/Zz9.mp4']), join(path, 'b/Zz9.avi'))
    t.throws(() => find(['../../etc/passwd']), { code: 'path-outside' })
  },
)

t.test('clips that a downloader numbered are found by their address', async t => {
  const path = t.testdir()
  const qa = [{ uid: 3, question: 'Which? (A) one (B) two', answer: 'B', question_type: 'x' }]
  const about = { url: 'https://youtu.be/Ab-_3456789?t=1', key: '00000007' }
  write(path, {
    'data/video_info.meta.jsonl': `\ufeff${JSON.stringify({ key: 'Ab-_3456789', type: 'sport', qa })}\n`,
    'scripts/videos/00000/00000007.json': JSON.stringify(about),
    'scripts/videos/00000/00000007.webm': 'x',
  })
  const { questions } = await readLvbench({ path, instruction })
  t.match(questions, [
    {
      video: join(path, 'scripts/videos/00000/00000007.webm'),
      fields: { id: 'lvbench/3', options: ['one', 'two'], answer: 'B' },
    },
  ])
})

t.test(
  'options are read in every form that LVBench has, and a question without any is reported once',
  async t => {
    const read = (text: string) => optionsIn(text).map(({ letter, words }) => `${letter}=${words}`)
    const wanted = ['A=red', 'B=dark blue']
    for (const text of [
      'Q\n(A) red\n(B) dark blue',
      'Q\r\n(A) red\r\n(B) dark blue\r\n',
      'Q\n  (A)red\n  (B)  dark blue',
      'Q\nA. red\nB. dark blue',
      'Q\nA) red\nB) dark blue',
      'Q (A) red (B) dark blue',
      'Q A. red B. dark blue',
    ])
      t.strictSame(read(text), wanted, JSON.stringify(text))
    t.strictSame(read('Which of (A) and the others? (A) red (B) dark blue'), wanted)
    t.strictSame(read('What did B. Smith say?'), [])
    const path = t.testdir()
    const qa = [{ uid: '1', question: 'What?', answer: 'A', question_type: ['x'] }]
    write(path, { 'video_info.meta.jsonl': JSON.stringify({ key: 'k', type: 'y', qa }), 'videos/k.mp4': 'x' })
    const { questions } = await readLvbench({ path, instruction })
    t.strictSame(findingsOf(questions), [{ code: 'unwinnable', about: 'lvbench/1 (0 options)' }])
  },
)

t.test('bounds of MVBench may be numbers in text; other text is reported and not obeyed', async t => {
  const path = t.testdir()
  const bounded = (start: unknown, end: unknown) => ({ ...mvbenchRow, start, end })
  const rows = [bounded('1.5', ' 4 '), bounded('soon', 3), bounded(null, null), mvbenchRow]
  write(path, { 'json/action_sequence.json': JSON.stringify(rows), 'json/._action_sequence.json': '{' })
  const { questions, findings } = await readMvbench({ path, instruction, profile: 'strict' })
  t.match(questions[0]?.fields, { start: 1.5, end: 4, frames: { rule: 'M', bounded: true } })
  for (const question of questions.slice(1))
    t.match(question.fields, { frames: { rule: 'L', bounded: false } })
  t.match(findings, [{ code: 'bad-bounds', about: 'mvbench/action_sequence/1' }])
  t.equal(questions[0]?.question, 'What?\nOptions:\nA. x\nB. y\nAnswer.')
})

const content = Buffer.from('12345')

t.test(
  'clips that lie in archives are found there, by the folder that tells clips of one name apart',
  async t => {
    const path = t.testdir()
    write(path, {
      'json/action_sequence.json': JSON.stringify([mvbenchRow, { ...mvbenchRow, video: 'l.mp4' }]),
      'json/moving_count.json': JSON.stringify([mvbenchRow]),
      'video/star/Charades_v1_480/l.mp4': 'x',
      'video/star.zip': zipOf({ 'star/Charades_v1_480/k.mp4': content }),
      'video/clevrer.tar.gz': tarGzOf({ 'other/k.mp4': content }),
    })
    const lines = await inspectBenchmark({ ...choice, path }, () =>
      readMvbench({ path, instruction, profile: 'strict' }),
    )
    t.equal(lines.length, 2)
    t.match(lines[1], /^1 missing-clip: mvbench\/moving_count\/0 /)
    const { questions } = await readMvbench({ path, instruction, profile: 'strict' })
    const located = await locate(path, questions)
    t.same(
      located.questions.map(({ video, fields }) => [video.slice(path.length + 1), fields.clip]),
      [
        ['video/star.zip/star/Charades_v1_480/k.mp4', 'video/star/Charades_v1_480/k.mp4'],
        ['video/star/Charades_v1_480/l.mp4', 'video/star/Charades_v1_480/l.mp4'],
        ['video/clevrer/video_validation/k.mp4', 'video/clevrer/video_validation/k.mp4'],
      ],
    )
  },
)

t.test('archives that cannot be read end the run with the commands that unpack them', async t => {
  const path = t.testdir()
  write(path, {
    'json/action_sequence.json': JSON.stringify([mvbenchRow, { ...mvbenchRow, video: 'l.mp4' }]),
    'video/star/Charades_v1_480/l.mp4': 'x',
    'video/star.zip': zipOf({ 'star/Charades_v1_480/k.mp4': content }, { encrypted: true }),
    'video/other.zip': zipOf({ 'other/z.mp4': content }, { encrypted: true }),
  })
  const inspect = () =>
    inspectBenchmark({ ...choice, path }, () => readMvbench({ path, instruction, profile: 'strict' }))
  await t.rejects(inspect(), {
    code: 'packed',
    message: `${path}: 1 of 2 clips still lie in archives; unpack them:\nunzip -n ${path}/video/star.zip -d ${path}/video # encrypted`,
  })
  write(path, { 'video/star/Charades_v1_480/k.mp4': 'x' })
  t.match(await inspect(), ['2 questions'], 'archives that are unpacked are left alone')
})

t.test(
  'where only some clips are missing, an archive that cannot be listed is suspected, and the run goes on',
  async t => {
    const path = t.testdir()
    write(path, {
      'json/action_sequence.json': JSON.stringify([mvbenchRow, { ...mvbenchRow, video: 'l.mp4' }]),
      'video/star/Charades_v1_480/l.mp4': 'x',
      'video/star.7z': 'cannot be listed',
    })
    const inspect = () =>
      inspectBenchmark({ ...choice, path }, () => readMvbench({ path, instruction, profile: 'strict' }))
    const command = `7z x -aos -o${path}/video ${path}/video/star.7z # 7z cannot be read without unpacking it`
    const lines = await inspect()
    t.equal(
      lines.at(-1),
      `${path}: 1 of 2 clips are missing; they may lie in archives that cannot be read:\n${command}`,
    )
    rmSync(join(path, 'video/star'), { recursive: true })
    await t.rejects(inspect(), {
      message: `${path}: 2 of 2 clips still lie in archives; unpack them:\n${command}`,
    })
  },
)

t.test(
  'subtitles are found in archives too, and questions whose subtitles are nowhere have none',
  async t => {
    const path = t.testdir()
    const row = (id: string) => ({
      id,
      video_path: `${id}.mp4`,
      subtitle_path: `${id}_en.json`,
      question: 'Q',
      candidates: ['x', 'y'],
      correct_choice: 0,
      question_category: 'T',
    })
    const tar = tarOf({ 'videos/zz.mp4': content, 'videos/a.mp4': content })
    write(path, {
      'lvb_val.json': JSON.stringify([row('a'), row('b')]),
      'videos.tar.part.ab': tar.subarray(700),
      'videos.tar.part.aa': tar.subarray(0, 700),
      'subtitles.zip': zipOf({ 'subtitles/a_en.json': Buffer.from('[]') }),
    })
    const { questions } = await readLongVideoBench({ path, instruction, subtitles: true })
    const located = await locate(path, questions)
    t.same(
      located.questions.map(({ video, fields }) => [video, fields.subtitles?.path]),
      [
        [join(path, 'videos.tar.part.aa/videos/a.mp4'), join(path, 'subtitles.zip/subtitles/a_en.json')],
        [join(path, 'videos/b.mp4'), undefined],
      ],
    )
    write(path, { 'subtitles.zip': 'no zip' })
    await t.rejects(locate(path, questions), { code: 'packed', message: /1 of 2 clips|all subtitles/ })
  },
)

t.test('part 10 comes after part 9', async t => {
  const path = t.testdir()
  const names = Array.from({ length: 10 }, (_, i) => `clips.tar.gz.part${i + 1}`)
  write(path, Object.fromEntries(names.map(name => [name, 'x'])))
  const [archive, ...others] = await archivesIn(path)
  t.strictSame(others, [])
  t.strictSame(archive && { ...archive }, { kind: 'tar.gz', paths: names.map(name => join(path, name)) })
  t.equal(archive && unpackCommand(archive).endsWith(`part10 | tar -C ${path} -xz -f -`), true)
})
