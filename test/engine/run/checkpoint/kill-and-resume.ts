// Kills a training run at random moments, lets it go on, and compares it with the run that was never killed:
// node dist/test/engine/run/checkpoint/kill-and-resume.js [TRIALS [KILLS-A-TRIAL]] [training]
// With `training` all moments are after the first update of a process.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listCheckpoints } from '../../../../engine/run/checkpoint/folder.ts'
import { repository } from '../../../fixtures.ts'

export interface Trial {
  /** Seconds after its start, or after its first update, at which each process was killed; shorter than `kills` when the run ended before. */
  killedAfter: readonly number[]
  /** Items of the newest checkpoint at each kill; 0 before the first one. */
  checkpoints: readonly number[]
  /** What differs from the run that was never killed: file names and metrics; nothing should. */
  differences: readonly string[]
}

export interface Settings {
  trials: number
  /** Kills of one run. */
  kills: number
  /** Updates of the run. */
  steps: number
  /** Kill only after the first update of a process, instead of at any moment of it. */
  training?: boolean
  log?: (line: string) => void
}

/** Runs a small GRPO training without interruption once, then `trials` times with SIGKILL at random moments. */
export async function killAndResume({ log = () => {}, ...settings }: Settings): Promise<Trial[]> {
  const folder = mkdtempSync(join(tmpdir(), 'flow-kill-'))
  try {
    const whole = join(folder, 'whole')
    const begin = performance.now()
    let first = begin
    await flow(firstWords(whole, settings.steps), { onStep: () => (first = performance.now()) })
    const seconds = (performance.now() - (settings.training ? first : begin)) / 1000
    log(`never killed: ${seconds.toFixed(1)} s`)
    const found: Trial[] = []
    for (let i = 1; i <= settings.trials; i++) {
      const directory = join(folder, `trial-${i}`)
      const trial = await oneTrial(directory, { ...settings, whole, seconds })
      found.push(trial)
      const at = trial.killedAfter.map((s, k) => `${s.toFixed(2)} s (checkpoint ${trial.checkpoints[k]})`)
      log(`trial ${i}: killed after ${at.join(', ')}: ${trial.differences.join(', ') || 'equal'}`)
      rmSync(directory, { recursive: true })
    }
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const isSource = import.meta.url.endsWith('.ts')
const main = isSource ? ['--import', 'tsx', 'engine/cli/main.ts'] : ['dist/engine/cli/main.js']

const firstWords = (directory: string, steps: number): string[] => {
  const small = {
    model: 'builtin:shapes',
    data: 'builtin:shapes/train.jsonl',
    frames: 1,
    group: 2,
    maxNewTokens: 4,
    learningRate: 1e-3,
    checkpointEvery: 1,
    steps,
  }
  const set = Object.entries(small).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  return ['run', 'graphs/grpo.json', ...set, '--out', directory]
}

async function oneTrial(
  directory: string,
  { whole, steps, kills, seconds, training }: Settings & { whole: string; seconds: number },
): Promise<Trial> {
  const killedAfter: number[] = []
  const checkpoints: number[] = []
  let words = firstWords(directory, steps)
  for (let kill = 0; kill < kills; kill++) {
    // so that what is left of the run is long enough for the next kill
    const after = (Math.random() * seconds) / kills
    const wasKilled = await flow(words, { killAfter: after, training })
    if (!wasKilled) {
      words = ['run', '--resume', directory]
      break
    }
    killedAfter.push(after)
    checkpoints.push(Number((await listCheckpoints(directory)).at(-1) ?? 0))
    // a process that was killed before it wrote the manifest has begun nothing
    if (hasManifest(directory)) words = ['run', '--resume', directory]
    else rmSync(directory, { recursive: true, force: true })
  }
  await flow(words)
  return { killedAfter, checkpoints, differences: compare(whole, directory) }
}

const hasManifest = (directory: string): boolean => {
  try {
    return readdirSync(directory).includes('manifest.json')
  } catch {
    return false
  }
}

interface FlowOptions {
  /** Seconds. */
  killAfter?: number
  /** Count them from the first update on. */
  training?: boolean | undefined
  onStep?: () => void
}

/** Runs `flow`, and tells whether it was killed before it ended. Any failure of its own is thrown. */
function flow(words: readonly string[], { killAfter, training, onStep }: FlowOptions = {}): Promise<boolean> {
  const child = spawn(process.execPath, [...main, ...words], { cwd: repository })
  let complaints = ''
  let timer: NodeJS.Timeout | undefined
  const arm = () => {
    if (killAfter !== undefined) timer ??= setTimeout(() => child.kill('SIGKILL'), killAfter * 1000)
  }
  if (!training) arm()
  child.stdout.once('data', () => {
    onStep?.()
    arm()
  })
  child.stderr.on('data', text => {
    complaints += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve(false)
      else if (signal === 'SIGKILL') resolve(true)
      else reject(new Error(`flow ${words.join(' ')}: exit ${code}: ${complaints}`))
    })
  })
}

/** What differs between two run directories, timings aside. */
export function compare(whole: string, other: string): string[] {
  const lines = ['metrics.jsonl', 'samples.jsonl'].filter(
    name => withoutTimings(join(whole, name)) !== withoutTimings(join(other, name)),
  )
  const files = (directory: string) => {
    const root = join(directory, 'checkpoints')
    const entries = readdirSync(root, { recursive: true, withFileTypes: true })
    return entries
      .filter(entry => entry.isFile())
      .map(({ parentPath, name }) => relative(root, join(parentPath, name)))
  }
  const names = [...new Set([...files(whole), ...files(other)])].sort()
  const weights = names.filter(name => {
    // the lengths of the files in it depend on how timings are written
    if (name.endsWith('/state.json') && name.split('/').length === 2) return false
    const [one, two] = [whole, other].map(directory => readOrNothing(join(directory, 'checkpoints', name)))
    return !one || !two || !one.equals(two)
  })
  return [...lines, ...weights]
}

const readOrNothing = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

const withoutTimings = (path: string): string => {
  const text = readFileSync(path, 'utf8')
  return text.replace(/"[a-z_]*(seconds|per_second)":[-0-9.e]+,?/g, '')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2)
  const training = words.includes('training')
  const [trials = 20, kills = 1] = words.filter(word => word !== 'training').map(Number)
  const found = await killAndResume({ trials, kills, steps: 8, training, log: line => console.log(line) })
  const different = found.filter(trial => trial.differences.length > 0).length
  console.log(
    `${trials} trials, ${found.flatMap(trial => trial.killedAfter).length} kills, ${different} differ`,
  )
  process.exitCode = different === 0 ? 0 : 1
}
