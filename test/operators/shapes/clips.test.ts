import t from 'tap'
import { randomOf } from '../../../operators/random.ts'
import { drawClip } from '../../../operators/shapes/clips.ts'
import { drawScene, movements, type Scene, shapes } from '../../../operators/shapes/draw.ts'
import { questionsAbout } from '../../../operators/shapes/questions.ts'

const scene: Scene = {
  shape: 'circle',
  colour: 'white',
  movement: 'right',
  background: 20,
  radius: 10,
  offset: 3,
}

/** Middle of the pixels that are not background. */
function middle(picture: Uint8Array, size: number, background: number) {
  let [count, sumX, sumY] = [0, 0, 0]
  for (let i = 0; i < size * size; i++) {
    if (picture[i * 3] === background) continue
    count++
    sumX += (i % size) + 0.5
    sumY += Math.floor(i / size) + 0.5
  }
  return { count, x: sumX / count, y: sumY / count }
}

for (const [movement, [x, y]] of Object.entries(movements)) {
  for (const shape of shapes) {
    t.test(`a ${shape} that goes ${movement} does`, t => {
      const moving = { ...scene, shape, movement: movement as Scene['movement'] } // a key of movements
      const first = middle(drawScene(moving, 64, 0), 64, 20)
      const last = middle(drawScene(moving, 64, 1), 64, 20)
      const near = (a: number, b: number) => Math.abs(a - b) < 1.5
      t.ok(near(last.x - first.x, 40 * x) && near(last.y - first.y, 40 * y))
      t.ok(
        near(first.count, last.count) || Math.abs(first.count - last.count) < 0.1 * first.count,
        'all of it stays visible',
      )
      t.end()
    })
  }
}

t.test('each question has four different options, and its letter names what is true', t => {
  const truths = [scene.movement, scene.colour, scene.shape]
  for (let seed = 0; seed < 50; seed++) {
    for (const [i, { problem, solution }] of questionsAbout(scene, 3, randomOf(seed)).entries()) {
      const letter = /^<answer> ([ABCD]) <\/answer>$/.exec(String(solution))?.[1]
      const options = problem.split('\n').slice(2)
      if (options.find(option => option.startsWith(`${letter}. `)) !== `${letter}. ${truths[i]}.`)
        t.fail(problem)
      if (new Set(options.map(option => option.slice(3))).size !== 4) t.fail(problem)
    }
  }
  t.pass()
  t.end()
})

const defaults = {
  count: 100,
  size: 32,
  frames: 3,
  framesPerSecond: 8,
  questions: 2,
  rows: 'questions',
  movement: 'random',
  options: 'shuffled',
  folder: 'clips',
  seed: 1,
} as const

t.test('a clip depends on its index and the seed only', t => {
  const sizes = defaults
  const clip = drawClip(7, sizes)
  const pixels = (index: number, seed: number) =>
    Buffer.concat(drawClip(index, { ...sizes, seed }).value.frames)
  t.ok(pixels(7, 1).equals(pixels(7, 1)))
  t.notOk(pixels(7, 1).equals(pixels(7, 2)))
  t.notOk(pixels(7, 1).equals(pixels(8, 1)))
  t.equal(clip.key, '07')
  t.equal(clip.bytes, 3 * 32 * 32 * 3)
  t.equal(clip.value.path, 'clips/07.mp4')
  t.match(clip.value.rows, [
    { problem_id: 14, video_filename: './clips/07.mp4', data_type: 'video', problem_type: 'multiple choice' },
    { problem_id: 15 },
  ])
  t.end()
})

t.test('one frame and a single clip are possible', t => {
  const { value } = drawClip(0, { ...defaults, count: 1, frames: 1, questions: 1 })
  t.equal(value.frames.length, 1)
  t.equal(value.rows.length, 1)
  t.end()
})

t.test('movements in turn with listed options give each letter its direction', t => {
  const rows = [0, 1, 2, 3, 4].map(index => {
    const { value } = drawClip(index, { ...defaults, movement: 'in-turn', options: 'listed', questions: 1 })
    return value.rows[0]
  })
  t.strictSame(
    rows.map(row => row.solution),
    ['A', 'B', 'C', 'D', 'A'].map(letter => `<answer> ${letter} </answer>`),
  )
  for (const row of rows) t.match(row.problem, /\nOptions:\nA. left.\nB. right.\nC. up.\nD. down.$/)
  t.end()
})

t.test('balanced options give each direction each letter once in 16 clips', t => {
  const pairs = Array.from({ length: 16 }, (_, index) => {
    const asked = { ...defaults, movement: 'in-turn', options: 'balanced', questions: 1 } as const
    const [{ problem, solution }] = drawClip(index, asked).value.rows
    const letter = /<answer> (.) <.answer>/.exec(String(solution))?.[1]
    return new RegExp(`${letter}\\. (\\w+)`).exec(String(problem))?.[1] + (letter ?? '')
  })
  t.equal(new Set(pairs).size, 16)
  t.end()
})

t.test('captions, descriptions and thoughts are conversations in the published fields', t => {
  const [caption] = drawClip(3, { ...defaults, movement: 'in-turn', rows: 'captions' }).value.rows
  t.match(caption, { id: 3, video: 'clips/03.mp4' })
  t.match(caption.conversations, [
    { from: 'human', value: /^<image>\n/ },
    { from: 'gpt', value: /^The \w+ \w+ moves down in the video\.$/ },
  ])
  const asked = { ...defaults, movement: 'in-turn', options: 'listed' } as const
  const [description] = drawClip(3, { ...asked, rows: 'descriptions' }).value.rows
  t.match(description.conversations, [
    { from: 'human', value: /^<image>\nwhere .* right\..* down\. .* <\/answer> tags\.$/s },
    { value: /^<think> The .* moves down in the video\. <\/think> <answer> down <\/answer>$/ },
  ])
  const wanted = { ...asked, rows: 'thoughts' } as const
  const [thought, second] = drawClip(3, wanted).value.rows
  t.match(thought.conversations, [
    { from: 'human', value: /^<image>\nwhere .* <\/answer> tags\.$/s },
    {
      from: 'gpt',
      value: /^<think> The .* moves down in the video. <\/think> <answer> D <\/answer>$/,
    },
  ])
  t.match(second, { id: 7, problem_id: 7, solution: /^<answer> [ABCD] <\/answer>$/ }, 'a question as well')
  t.end()
})
