import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once, setMaxListeners } from 'node:events'
import * as files from 'node:fs'
import * as asyncFiles from 'node:fs/promises'
import { availableParallelism, homedir } from 'node:os'
import path, { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createContext, Script } from 'node:vm'
import { Worker } from 'node:worker_threads'
import type { Platform } from './platform.ts'

const run = promisify(execFile)
/** No file, process, connection or GPU (which polls by immediates): terminals and signals do not count. */
const passive = new Set(['Timeout', 'TTYWrap', 'PipeWrap', 'SignalWrap'])
/** Code that a script calls ends when the script's time has passed, matching of patterns too. */
const call = new Script('work()')
const called: { work?: () => unknown } = createContext({})

/** What a node printed last. */
let printed = '\n'

/** What Node gives. */
export const platform: Platform = {
  files: { ...files, ...asyncFiles },
  paths: path,
  processes: {
    id: process.pid,
    environment: process.env,
    system: `${process.platform} ${process.arch}`,
    versions: { node: process.versions.node },
    homeFolder: homedir(),
    cores: availableParallelism(),
    processorSeconds: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    },
    print: text => {
      process.stdout.write(text)
      printed = text || printed
    },
    get isMidLine() {
      return !printed.endsWith('\n')
    },
    output: async (program, args, milliseconds) =>
      (await run(program, [...args], { timeout: milliseconds })).stdout,
    onIdle: listener => {
      process.on('beforeExit', listener)
      return () => process.off('beforeExit', listener)
    },
    onlyTimersLeft: () => process.getActiveResourcesInfo().every(name => passive.has(name)),
  },
  threads: {
    start: (name, from, mostMegabytes) => {
      const ending = /\.[jt]s$/.exec(from)?.[0] ?? '.js'
      const resourceLimits = { maxOldGenerationSizeMb: mostMegabytes }
      const worker = new Worker(new URL(`${name}${ending}`, from), { resourceLimits })
      return {
        post: message => worker.postMessage(message),
        next: async () => (await once(worker, 'message'))[0],
        letGo: () => worker.unref(),
        end: async () => {
          await worker.terminate()
        },
      }
    },
    within: <T>(milliseconds: number, work: () => T): T => {
      try {
        called.work = work
        // the script returns the value of `work`
        return call.runInContext(called, { timeout: milliseconds }) as T
      } catch (error) {
        // not an instance of this realm's Error
        const { code } = error as { code?: unknown }
        if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
        throw Object.assign(new Error(`it takes longer than ${milliseconds} ms`), { code: 'late' })
      }
    },
  },
  clock: {
    afterPromises: work => process.nextTick(work),
    // looked up at each call: the GPU's polling puts another one in its place
    nextTurn: work => {
      setImmediate(work)
    },
    letGo: timer => {
      timer.unref()
    },
    endOfMany: () => {
      const controller = new AbortController()
      setMaxListeners(0, controller.signal)
      return controller
    },
    delay: (milliseconds, signal) => wait(milliseconds, undefined, signal && { signal }),
  },
  digests: { createHash, randomUUID },
  packageFolder: findPackage(dirname(fileURLToPath(import.meta.url))),
  Buffer,
}

/** The folder of this package, from the sources and from dist alike. */
function findPackage(folder: string): string {
  if (files.existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('no package.json in any folder above the files of flow')
  return findPackage(parent)
}
