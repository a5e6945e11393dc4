import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { wordsOf } from '../../operators/eval/subtitles.ts'
import { readWhole } from '../../operators/files/packed-file.ts'
import { parseQuestions } from '../../operators/read/questions.ts'
import { readText } from '../../operators/read/rows.ts'
import { readTable } from '../../operators/read/table.ts'
import { runFfmpeg } from '../../operators/video/ffmpeg.ts'
import { openClip } from '../../operators/video/open-clip.ts'
import { fixture } from '../fixtures.ts'
import { tarGzOf, tarOf, zipOf } from '../operators/files/make-archives.ts'
import { deadlineSeconds, type MutationCounts, mutated } from './mutated-files.ts'
import { mutatedWeights } from './mutated-weights.ts'

export interface MutationOptions {
  /** How many of each kind. */
  readonly graphs: number
  readonly networks: number
  readonly checkpoints: number
  readonly results: number
  readonly benchmarks: number
  readonly clips: number
  readonly weights: number
  readonly seed: number
}

export const noMutations: MutationOptions = {
  graphs: 0,
  networks: 0,
  checkpoints: 0,
  results: 0,
  benchmarks: 0,
  clips: 0,
  weights: 0,
  seed: 1,
}

/** Changes graphs, run folders, benchmarks' files, clips and folders of weights at random, and reads each: what a line a kind says of them. */
export async function* mutations(options: MutationOptions): AsyncGenerator<string> {
  const { seed } = options
  yield* testLine('graphs', 'engine/graph/mutations.test', options.graphs, seed)
  yield* testLine('networks', 'engine/run/meetings.test', Math.ceil(options.networks / 2), seed)
  yield* testLine('networks with cycles', 'engine/run/cycles.test', Math.floor(options.networks / 2), seed)
  yield* testLine('run folders', 'engine/cli/mutated-runs.test', options.checkpoints, seed)
  yield* testLine('folders of results', 'operators/eval/results/mutated.test', options.results, seed)
  for (const [kind, count, read] of [
    ['benchmark files', options.benchmarks, mutatedBenchmarks],
    ['clips', options.clips, mutatedClips],
    ['folders of weights', options.weights, mutatedWeights],
  ] as const) {
    if (count === 0) continue
    const { accepted, refused, faults } = await read(count, seed)
    yield `${count} changed ${kind} (seed ${seed}): ${refused} refused with file and reason, ${accepted} accepted, ${faults.length} faults`
    yield* faults.slice(0, 20)
  }
}

/** A test that makes its own changes, with another count and seed, in a process of its own. */
function* testLine(kind: string, test: string, count: number, seed: number): Generator<string> {
  if (count === 0) return
  const path = fileURLToPath(new URL(`../${test}${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
  const env = { ...process.env, FLOW_CASES: String(count), FLOW_SEED: String(seed) }
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, path], {
    env,
    encoding: 'utf8',
  })
  const said = stdout.split('\n').filter(line => /^\s+(not )?ok /.test(line) && !line.includes('# time'))
  yield `${count} changed ${kind} (seed ${seed}): ${status === 0 ? 'no fault' : `exit code ${status}`}`
  for (const line of said) yield `    ${line.trim()}`
}

/** Reads changed tables, questions, subtitles and archives. */
export const mutatedBenchmarks = (count: number, seed: number): Promise<MutationCounts> =>
  mutated(count, seed, benchmarkFiles(), async path => {
    const name = path.split('/').at(-1) ?? ''
    if (name.startsWith('questions')) parseQuestions(path, await readText(path), dirname(path))
    else if (/^cues/.test(name)) {
      const fields = { subtitles: { path } }
      const question = { video: 'v.mp4', question: 'What?', fields } as unknown as Parameters<
        typeof wordsOf
      >[0]
      await wordsOf(question, { seconds: [0, 1, 2, 3], durationSeconds: 4 } as Parameters<typeof wordsOf>[1])
    } else if (/\.(zip|tar|gz)$/.test(name)) await readWhole(join(path, 'a/rows.json'))
    else await readTable(path)
  })

/** Opens changed clips and reads two frames. */
export async function mutatedClips(count: number, seed: number): Promise<MutationCounts> {
  const folder = mkdtempSync(join(tmpdir(), 'flow-clips-'))
  try {
    const files: Record<string, Buffer> = {}
    const picture = ['-f', 'lavfi', '-i', 'testsrc2=s=64x48:r=10:d=1']
    for (const [name, codec] of Object.entries(clipCodecs)) {
      const path = join(folder, name)
      const run = runFfmpeg(['-y', ...picture, ...codec, path], { subject: name, deadlineSeconds })
      for (let step = await run.next(); !step.done; step = await run.next());
      files[name] = readFileSync(path)
    }
    return await mutated(count, seed, files, async path => {
      const sample = { video: path, question: '', fields: {} }
      const clip = await openClip(path, sample, { deadlineSeconds: 20, folderFramesPerSecond: 3 })
      try {
        const frames = await clip.read([0, clip.frameCount - 1])
        if (frames.some(frame => frame.length !== clip.width * clip.height * 3))
          throw new Error('a frame of another size')
      } finally {
        clip.close?.()
      }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const clipCodecs: Readonly<Record<string, readonly string[]>> = {
  'a.mp4': ['-c:v', 'libx264', '-pix_fmt', 'yuv420p'],
  'front.mp4': ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-movflags', '+faststart'],
  'a.webm': ['-c:v', 'libvpx', '-deadline', 'realtime'],
  'a.gif': [],
  'a.avi': ['-c:v', 'mpeg4'],
  'a.mkv': ['-c:v', 'libx264', '-pix_fmt', 'yuv420p'],
  'a.ts': ['-c:v', 'mpeg2video'],
}

function benchmarkFiles(): Record<string, Buffer> {
  const json = readFileSync(join(fixture('benchmarks'), 'MLVU/json/1_plotQA.json'))
  const rows: object[] = JSON.parse(json.toString('utf8'))
  const lines = rows.map(row => `${JSON.stringify(row)}\n`).join('')
  const question = { video: 'v.mp4', question: 'What?', options: ['a', 'b'], answer: 'A', id: '1' }
  const archived = { 'a/rows.json': json, 'a/b.txt': Buffer.from('b') }
  return {
    'rows.json': json,
    'rows.jsonl': Buffer.from(lines),
    'rows.csv': Buffer.from('id,question,answer\n1,"What, now?",A\n2,"Who ""it"" is",B\n'),
    'rows.tsv': Buffer.from('id\tquestion\tanswer\n1\tWhat?\tA\n2\tWho?\tB\n'),
    'rows.parquet': readFileSync(
      join(fixture('benchmarks'), 'Video-MME/videomme/test-00000-of-00001.parquet'),
    ),
    'questions.jsonl': Buffer.from(`${JSON.stringify(question)}\n`.repeat(3)),
    'cues.srt': Buffer.from(
      '1\n00:00:00,000 --> 00:00:02,000\nHello.\n\n2\n00:00:02,000 --> 00:00:04,000\nBye.\n',
    ),
    'cues.vtt': Buffer.from('WEBVTT\n\n00:00.000 --> 00:02.000\nHello.\n\n00:02.000 --> 00:04.000\nBye.\n'),
    'cues.json': readFileSync(join(fixture('benchmarks'), 'LongVideoBench/subtitles/Sy0LongVid1_en.json')),
    'stored.zip': zipOf(archived),
    'deflated.zip': zipOf(archived, { deflate: true }),
    'large.zip': zipOf(archived, { large: true }),
    'a.tar': tarOf(archived),
    'a.tar.gz': tarGzOf(archived),
  }
}
