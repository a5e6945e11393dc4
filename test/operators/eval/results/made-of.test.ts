import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { fixture } from '../../../fixtures.ts'
import { dataOf, startEvaluation } from '../evaluate.ts'

/** Three questions about a clip each. */
const settings = ['limit=3', 'nodes.evaluation/watch.config.sheetWidth=0']

/** A copy of a fixture that may be changed. */
function copyOf(from: string, to: string): string {
  cpSync(from, to, { recursive: true, preserveTimestamps: true })
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' })) chmodSync(join(to, name), 0o755)
  return to
}

interface Row {
  candidates: string[]
  answer: string
}

function changeFirstRow(data: string, change: (row: Row) => void): void {
  const path = join(data, 'json/fine_grained_pose.json')
  const rows = JSON.parse(readFileSync(path, 'utf8')) as Row[] // a fixture
  for (const row of rows.slice(0, 1)) change(row)
  writeFileSync(path, JSON.stringify(rows))
}

/** The committed results of a folder: one line each. An answer that was asked for has cost its clip's decoding. */
const commits = (out: string): string[] =>
  existsSync(join(out, 'timings.jsonl'))
    ? readFileSync(join(out, 'timings.jsonl'), 'utf8').trim().split('\n')
    : []

/** Evaluates into `out`, compares with a new folder, and tells what the run asked, and what it only scored. */
async function evaluateAgain(t: Test, out: string, set: readonly string[]): Promise<string> {
  const results = (folder: string) => readFileSync(join(folder, 'results.jsonl'), 'utf8')
  const before = commits(out).length
  await startEvaluation('mvbench', out, set).done
  const lines = commits(out).slice(before)
  const asked = lines.filter(line => line.includes('"decode"')).length
  const fresh = join(t.testdir(), 'fresh')
  await startEvaluation('mvbench', fresh, set).done
  t.equal(results(out), results(fresh), 'nothing stale')
  return `${asked} asked, ${lines.length - asked} scored`
}

type Trial = readonly [what: string, expected: string, set: readonly string[], change?: () => void]

async function tryAll(t: Test, out: string, set: readonly string[], trials: readonly Trial[]): Promise<void> {
  for (const [what, expected, more, change] of trials)
    await t.test(what, async t => {
      change?.()
      t.equal(await evaluateAgain(t, out, [...set, ...more]), expected)
    })
}

t.test('what has changed asks again only what it touches, and nothing stale stays', async t => {
  const folder = t.testdir()
  const [data, out] = [copyOf(dataOf('mvbench'), join(folder, 'data')), join(folder, 'out')]
  const clips = join(data, 'video/nturgbd')
  const [clip, other] = ['S901C001P001R001A001_rgb.avi', 'S902C001P001R001A002_rgb.avi'].map(name =>
    join(clips, name),
  )
  const pictures = join(data, 'video/tvqa/frames_fps3_hq/synthshow_s01e02_seg01_clip_03')
  const move = (from = '', to = '') => renameSync(from, to)
  const copy = (from = '', to = '') => copyFileSync(from, to)
  const cut = (path = '') => writeFileSync(path, readFileSync(path).subarray(0, statSync(path).size * 0.6))
  const whole = join(folder, 'whole.avi')
  copy(clip, whole)
  const answerLast = () => changeFirstRow(data, row => Object.assign(row, { answer: row.candidates.at(-1) }))
  await tryAll(
    t,
    out,
    [...settings, `data=${data}`, 'answers=constant'],
    [
      ['a new folder', '3 asked, 0 scored', []],
      ['nothing', '0 asked, 0 scored', []],
      ['a true answer', '0 asked, 1 scored', [], answerLast],
      [
        'the options of a question',
        '1 asked, 0 scored',
        [],
        () => changeFirstRow(data, row => row.candidates.reverse()),
      ],
      ['a clip', '1 asked, 0 scored', [], () => copy(other, clip)],
      [
        'a picture of a clip',
        '1 asked, 0 scored',
        [],
        () => copy(join(pictures, '00002.jpg'), join(pictures, '00001.jpg')),
      ],
      // what is not there costs no decoding
      ['a clip that is taken away', '0 asked, 1 scored', [], () => move(clip, `${clip}.away`)],
      ['a clip that is put back', '1 asked, 0 scored', [], () => move(`${clip}.away`, clip)],
      ['a clip that is cut', '0 asked, 1 scored', [], () => cut(clip)],
      ['a clip that is repaired', '1 asked, 0 scored', [], () => copy(whole, clip)],
      ['the scorer', '0 asked, 3 scored', ['nodes.evaluation.params.scorer=tolerant']],
      ['the scorer, back', '0 asked, 3 scored', []],
      ['the instruction', '3 asked, 0 scored', ['nodes.questions.config.instruction=Say a letter.']],
      ['the number of frames', '3 asked, 0 scored', ['frames=4']],
      ['how frames become squares', '3 asked, 0 scored', ['nodes.evaluation/watch.config.aspect=pad']],
      [
        'the words of a constant',
        '3 asked, 0 scored',
        ['nodes.evaluation.params.output=<answer> B </answer>'],
      ],
      ['who answers', '3 asked, 0 scored', ['answers=oracle']],
    ],
  )
})

t.test('another model asks all again', async t => {
  const folder = t.testdir()
  const [model, out] = [copyOf(fixture('tiny-bf16'), join(folder, 'model')), join(folder, 'out')]
  const set = [...settings, `data=${dataOf('mvbench')}`, `model=${model}`, 'maxNewTokens=4', 'frames=2']
  const change = (name: string, edit: (bytes: Buffer) => Buffer) => {
    const path = join(model, name)
    writeFileSync(path, edit(readFileSync(path)))
  }
  const negateLast = (bytes: Buffer) => {
    for (let i = 1; i <= 4000; i += 2)
      bytes.writeUInt8(bytes.readUInt8(bytes.length - i) ^ 0x80, bytes.length - i)
    return bytes
  }
  await tryAll(t, out, set, [
    ['a new folder', '3 asked, 0 scored', []],
    ['nothing', '0 asked, 0 scored', []],
    ['the weights', '3 asked, 0 scored', [], () => change('model-00002-of-00002.safetensors', negateLast)],
    [
      'the tokenizer',
      '3 asked, 0 scored',
      [],
      () => change('tokenizer.json', bytes => Buffer.concat([bytes, Buffer.from('\n')])),
    ],
    [
      'the settings of its generation',
      '3 asked, 0 scored',
      [],
      () => writeFileSync(join(model, 'generation_config.json'), JSON.stringify({ eos_token_id: [3, 4] })),
    ],
    ['the template', '3 asked, 0 scored', ['nodes.evaluation/encode.config.template=pretrain']],
    [
      'an adapter',
      '3 asked, 0 scored',
      [`resources.evaluation/model.config.adapter=${fixture('peft-adapter')}`],
    ],
    ['how tokens are drawn', '3 asked, 0 scored', ['nodes.evaluation.params.decoding=published']],
    ['the length of an answer', '3 asked, 0 scored', ['maxNewTokens=3']],
    [
      'the place of the model',
      '0 asked, 0 scored',
      ['maxNewTokens=3', `model=${model}-moved`],
      () => renameSync(model, `${model}-moved`),
    ],
  ])
})
