import { messageOf } from '../../engine/shared/errors.ts'
import { isKill, signalThatEnded } from '../ended-by.ts'
import { longestAnswer, type ScorerOptions } from './external.ts'
import { RewardError } from './reward-error.ts'
import { startScorer } from './scorer-processes.ts'

/** How long the answer of a program that has ended may take to arrive, if a process that cannot be killed holds its pipe. */
const lastReadMs = 500

/**
 * Runs a program with `input` and returns its standard output. When the promise settles the program has ended, and so has
 * everything that it started. Throws `late`, `aborted`, `not-started`, or `failed` with the exit code and the end of
 * standard error.
 */
export function runScorer(
  [program = '', ...args]: readonly string[],
  input: string,
  { source, timeoutSeconds, signal }: ScorerOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new RewardError('aborted', `${source}: aborted`))
      return
    }
    const scorer = startScorer(program, args)
    const { child } = scorer
    let answer = ''
    let said = ''
    let stopped: RewardError | undefined
    const stop = (reason: RewardError) => {
      stopped ??= reason
      scorer.close()
      scorer.end()
    }
    const late = `${source}: did not end within ${timeoutSeconds} s (timeoutSeconds)`
    const timer = setTimeout(() => stop(new RewardError('late', late)), timeoutSeconds * 1000)
    const abort = () => stop(new RewardError('aborted', `${source}: aborted`))
    signal.addEventListener('abort', abort)
    const settle = (act: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      act()
    }
    child.on('error', cause => {
      const message = `${source}: cannot be run: ${messageOf(cause)}`
      settle(() => reject(new RewardError('not-started', message, { cause })))
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      answer += text
      if (answer.length > longestAnswer)
        stop(new RewardError('bad-answer', `${source}: answered more than ${longestAnswer} characters`))
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000)
    })
    // A program may end without reading everything; its exit code tells whether that is a failure.
    child.stdin.on('error', () => child.stdin.destroy())
    child.stdin.end(input)
    // What it has started may hold its pipes open: it is killed, and then the pipes end.
    let reading: NodeJS.Timeout | undefined
    child.on('exit', () => {
      clearTimeout(timer)
      scorer.end()
      reading = setTimeout(scorer.close, lastReadMs)
    })
    child.on('close', (code, killer) => {
      clearTimeout(reading)
      settle(() => {
        if (stopped) reject(stopped)
        else if (code === 0) resolve(answer)
        else {
          const signal = signalThatEnded(code, killer)
          const how = code === null ? `was ended by ${killer}` : `ended with exit code ${code}`
          const last = said.trim().split('\n').slice(-2).join('; ').slice(-300) || 'nothing'
          const ofMachine = signal !== undefined && isKill(signal)
          reject(new RewardError('failed', `${source}: ${how}; it said: ${last}`, { ofMachine }))
        }
      })
    })
  })
}
