import { copyFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../../../fixtures.ts'
import { dataOf } from '../evaluate.ts'
import { copyOf, settings, tryAll } from './trials.ts'

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
