import { spawn } from 'node:child_process'
import { Parser, type Result } from 'tap-parser'

export interface FileResult {
  path: string
  /** Assertions. */
  passed: number
  failed: number
  skipped: number
  seconds: number
  /** What went wrong, one text a failure. */
  failures: readonly string[]
}

/**
 * Runs one compiled test file in a process of its own and counts its assertions. A crash, a deadline, a broken plan
 * and a file that asserts nothing count as one failure more.
 */
export function runFile(path: string, deadlineSeconds = 900): Promise<FileResult> {
  return new Promise(done => {
    const started = performance.now()
    const failures: string[] = []
    const counts = { passed: 0, skipped: 0 }
    let errors = ''
    let timedOut = false
    // A group of its own, so that the deadline also ends what the test started. tap's own deadline comes first: it
    // names the test that hangs.
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TAP_TIMEOUT: String(Math.ceil(deadlineSeconds * 0.9)) },
    })
    const deadline = setTimeout(() => {
      timedOut = true
      stop(child.pid)
    }, deadlineSeconds * 1000)
    const parser = new Parser(results => {
      clearTimeout(deadline)
      running.delete(stopThis)
      const { exitCode, signalCode } = child
      const ran = counts.passed + counts.skipped + failures.length
      if (timedOut) failures.push(`stopped: not finished after ${deadlineSeconds} s`)
      else if (signalCode) failures.push(`crashed: ${signalCode}`)
      else if (ran === 0) failures.push(`no assertion ran (exit code ${exitCode})`)
      else if (failures.length === 0 && !results.ok) failures.push(...results.failures.map(describe))
      else if (failures.length === 0 && exitCode !== 0) failures.push(`exit code ${exitCode}`)
      const failed = failures.length
      if (failed > 0 && errors.trim()) failures.push(`stderr:\n${indent(tail(errors, 30))}`)
      done({ path, ...counts, failed, failures, seconds: (performance.now() - started) / 1000 })
    })
    parser.on('pass', () => counts.passed++)
    parser.on('skip', () => counts.skipped++)
    parser.on('todo', () => counts.skipped++)
    parser.on('fail', (result: Result) => failures.push(describe(result)))
    child.stdout.setEncoding('utf8').on('data', (text: string) => parser.write(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-64_000)
    })
    // A plan that was never written and an exit code are only known at the very end.
    child.on('close', () => parser.end())
    const stopThis = () => stop(child.pid)
    running.add(stopThis)
  })
}

/** Ends all test files that run now. */
export function stopAll(): void {
  for (const end of running) end()
}

const running = new Set<() => void>()

function stop(pid: number | undefined): void {
  try {
    if (pid) process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself in this moment.
  }
}

interface Failure {
  name?: string
  fullname?: string
  tapError?: string | null
  diag?: unknown
}

function describe({ name, fullname, tapError, diag }: Failure): string {
  const title = fullname || name || 'broken TAP output'
  const reason = tapError ? `\n${indent(tapError)}` : ''
  if (typeof diag !== 'object' || diag === null) return title + reason
  const lines = Object.entries(diag)
    .filter(([key]) => key !== 'source' && key !== 'at')
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? block(value) : JSON.stringify(value)}`)
  return `${title}${reason}\n${indent(lines.join('\n'))}`
}

const block = (text: string): string =>
  text.trimEnd().includes('\n') ? `\n${indent(text.trimEnd())}` : text.trimEnd()

const indent = (text: string): string => text.replace(/^/gm, '    ')

const tail = (text: string, lines: number): string => text.trimEnd().split('\n').slice(-lines).join('\n')
