import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { isObject } from '../../engine/shared/json.ts'
import { isMacCopy } from '../files/video-extensions.ts'
import type { FrameSettings, Question } from '../question.ts'
import { stripEnd } from '../text/python.ts'
import {
  benchmarkFields,
  benchmarkStreams,
  inspectBenchmark,
  type ReadBenchmark,
  type Wording,
} from './benchmark.ts'
import { benchmarkRoot, clipFinder } from './benchmark-folder.ts'
import type { Finding } from './benchmark-kinds.ts'
import {
  letterOf,
  lettersOf,
  parseJson,
  type Row,
  readRows,
  text,
  texts,
  unknownFields,
} from './benchmark-rows.ts'
import { ReadError } from './read-error.ts'
import { readText } from './rows.ts'

/**
 * Takes both layouts: `json/` and `video/`, with bounds to be cut out; and `test.json` with clips that are cut already,
 * whose bounds are never applied.
 */
export default operator({
  summary: 'Reads MVBench: its questions by task, with clips as files or folders of pictures.',
  config: benchmarkFields,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) => inspectBenchmark(settings, readMvbench, known),
  run: (_, settings, context) => benchmarkStreams(context, settings, readMvbench),
})

/** The tasks in the published order, with the folders of their clips. */
const folders: Readonly<Record<string, string>> = {
  fine_grained_pose: 'nturgbd',
  episodic_reasoning: 'tvqa/frames_fps3_hq',
  action_sequence: 'star/Charades_v1_480',
  action_prediction: 'star/Charades_v1_480',
  action_antonym: 'ssv2_video',
  fine_grained_action: 'Moments_in_Time_Raw/videos',
  unexpected_action: 'FunQA_test/test',
  object_existence: 'clevrer/video_validation',
  object_interaction: 'star/Charades_v1_480',
  object_shuffle: 'perception/videos',
  moving_direction: 'clevrer/video_validation',
  action_localization: 'sta/sta_video',
  scene_transition: 'scene_qa/video',
  action_count: 'perception/videos',
  moving_count: 'clevrer/video_validation',
  moving_attribute: 'clevrer/video_validation',
  state_change: 'perception/videos',
  character_order: 'perception/videos',
  egocentric_navigation: 'vlnqa',
  counterfactual_inference: 'clevrer/video_validation',
}

const known =
  'video question candidates answer start end accurate_start accurate_end fps subtitle video_length question_id'.split(
    ' ',
  )

export interface MvbenchSettings extends Wording {
  path: string
}

export async function readMvbench(settings: MvbenchSettings): Promise<ReadBenchmark> {
  const path = benchmarkRoot(settings.path, ['test.json', 'json'])
  const find = clipFinder(path)
  const isCut = existsSync(join(path, 'test.json'))
  const tasks = isCut ? await cutTasks(join(path, 'test.json')) : await plainTasks(path)
  const findings: Finding[] = []
  const questions: Question[] = []
  for (const { task, folder, rows } of tasks) {
    findings.push(...unknownFields(rows, known, task))
    for (const [i, row] of rows.entries()) {
      const where = `${path}: ${task}: item ${i}`
      const candidates = texts(row, 'candidates', where)
      const name = text(row, 'video', where)
      const letters = lettersOf(candidates.length)
      const isBase = settings.profile === 'base'
      const lines = candidates.map((candidate, n) =>
        isBase ? `(${letters[n]}) ${candidate}` : `${letters[n]}. ${candidate}`,
      )
      const bounds = boundsOf(row)
      if (bounds === 'bad') findings.push({ code: 'bad-bounds', about: `mvbench/${task}/${i}` })
      const [start, end] = bounds === 'bad' ? [] : (bounds ?? [])
      const video = find(['video', 'video/data0613', '.'].map(root => `${root}/${folder}/${name}`))
      const words = stripEnd(
        [text(row, 'question', where), ...(isBase ? [] : ['Options:']), ...lines].join('\n'),
      )
      questions.push({
        video,
        question: `${words}\n${settings.instruction}`,
        fields: {
          id: `mvbench/${task}/${i}`,
          benchmark: 'mvbench',
          clip: relative(path, video),
          tasks: [task],
          groups: {},
          options: candidates,
          letters,
          answer: letterOf(candidates, row.answer),
          frames: framesOf(task, settings, !isCut && end !== undefined),
          start,
          end,
        },
      })
    }
  }
  return { name: 'mvbench', headline: 'micro', questions, excluded: [], findings }
}

/** Seconds, as numbers or as text with a number in it; none where a row states none. */
function boundsOf({ start, end }: Row): [number, number] | 'bad' | undefined {
  if ((start ?? null) === null && (end ?? null) === null) return undefined
  const [from, to] = [start, end].map(secondsOf)
  return from !== undefined && to !== undefined ? [from, to] : 'bad'
}

function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds : undefined
}

/** The released scripts take middles of segments for three tasks and obey bounds in pictures alone. */
function framesOf(task: string, { profile }: MvbenchSettings, hasBounds: boolean): FrameSettings {
  const middles = ['fine_grained_pose', 'episodic_reasoning', 'action_antonym'].includes(task)
  const bounded = hasBounds && (profile === 'strict' || task === 'episodic_reasoning')
  return { rule: middles || bounded ? 'M' : 'L', unique: false, bounded }
}

interface Task {
  task: string
  folder: string
  rows: Row[]
}

async function plainTasks(path: string): Promise<Task[]> {
  const json = join(path, 'json')
  const names = await readdir(json).catch((error: unknown) => {
    const reason = messageOf(error)
    throw new ReadError('no-file', `${path}: must hold json/ or test.json: ${reason}`)
  })
  const found = names
    .filter(name => name.endsWith('.json') && !isMacCopy(name))
    .map(name => name.slice(0, -5))
  const unknown = found.filter(task => !Object.hasOwn(folders, task))
  if (unknown.length > 0)
    throw new ReadError('bad-question', `${json}: no task of MVBench: ${unknown.join(', ')}`)
  const tasks = Object.entries(folders).filter(([task]) => found.includes(task))
  return Promise.all(
    tasks.map(async ([task, folder]) => ({ task, folder, rows: await readRows(join(json, `${task}.json`)) })),
  )
}

async function cutTasks(file: string): Promise<Task[]> {
  const value = parseJson(file, await readText(file))
  const { root, meta } = isObject(value) ? value : {}
  if (!isObject(root) || !isObject(meta))
    throw new ReadError('bad-question', `${file}: must be an object with root and meta`)
  return Object.entries(meta).map(([task, rows]) => {
    const folder = root[task]
    if (typeof folder === 'string' && Array.isArray(rows) && rows.every(isObject))
      return { task, folder, rows }
    throw new ReadError('bad-question', `${file}: ${task} must have a folder in root and a list in meta`)
  })
}
