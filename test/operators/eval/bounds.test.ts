// Time bounds of MVBench, down to the frames that are looked at.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { dataOf, evaluate } from './evaluate.ts'

const about = { question: 'What?', candidates: ['x', 'y'], answer: 'x' }

/** Bounds of clips with 30000/1001 and 24 frames a second, and of pictures at 3 a second; and 8 frames of the official notebook. */
const asked = [
  {
    task: 'action_sequence',
    video: 'MX4QT.mp4',
    bounds: [0.25, 2.6],
    frames: [11, 20, 29, 38, 47, 55, 64, 73],
  },
  {
    task: 'action_sequence',
    video: 'MX4QT.mp4',
    bounds: [1, 99],
    frames: [39, 58, 76, 95, 113, 132, 151, 169],
  },
  {
    task: 'action_sequence',
    video: 'BQ7LN.mp4',
    bounds: [2, 3.98],
    frames: [50, 56, 62, 68, 74, 79, 85, 91],
  },
  {
    task: 'episodic_reasoning',
    video: 'synthshow_s01e05_seg02_clip_00',
    bounds: [3.5, 9.2],
    // 00011.jpg is the frame with index 10
    frames: [10, 12, 14, 17, 19, 21, 24, 26],
  },
] as const

const forms: Readonly<Record<string, (seconds: number) => unknown>> = {
  'a number': seconds => seconds,
  'a number in text': seconds => ` ${seconds} `,
}

for (const [form, write] of Object.entries(forms))
  t.test(`a bound that is ${form} gives the frames of the official notebook`, async t => {
    const folder = t.testdir()
    const data = join(folder, 'MVBench')
    for (const place of ['star/Charades_v1_480', 'tvqa/frames_fps3_hq'])
      cpSync(join(dataOf('mvbench'), 'video', place), join(data, 'video', place), { recursive: true })
    for (const task of new Set(asked.map(one => one.task))) {
      const rows = asked
        .filter(one => one.task === task)
        .map(({ video, bounds: [start, end] }) => ({ ...about, video, start: write(start), end: write(end) }))
      const file = join(data, 'json', `${task}.json`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, JSON.stringify(rows))
    }
    const set = [`data=${data}`, 'answers=oracle', 'frames=8', 'nodes.evaluation/watch.config.sheetWidth=0']
    const { results } = await evaluate('mvbench', join(folder, 'out'), set)
    const found = (task: string) =>
      results.filter(({ tasks }) => tasks.includes(task)).map(({ indices }) => indices)
    for (const task of ['action_sequence', 'episodic_reasoning'])
      t.strictSame(
        found(task),
        asked.filter(one => one.task === task).map(({ frames }) => frames),
        task,
      )
  })
