// A browser tab, or a worker of one. Files are in memory; there are no processes; the page listens to what a run tells.
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { Buffer } from 'buffer'
import paths from 'path-browserify'
import type { Digest, Platform } from './platform.ts'
import { tabFiles } from './tab/files.ts'
import { Tree } from './tab/tree.ts'

const tree = new Tree()
// the package `buffer` is Node's for browsers; it lacks newer calls, which flow does not make
const buffers = Buffer as unknown as typeof globalThis.Buffer

export const platform: Platform = {
  files: tabFiles(tree, buffers),
  paths: {
    ...(paths as unknown as Platform['paths']), // the POSIX half of Node's module, without its newest calls
    // names of data are refused if they start at a root of Windows
    win32: { isAbsolute: (name: string) => /^([a-z]:)?[\\/]/i.test(name) } as Platform['paths']['win32'],
  },
  processes: {
    id: 1,
    environment: {},
    system: 'browser',
    versions: {
      browser: (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? 'unknown',
    },
    homeFolder: '/',
    cores: 1,
    processorSeconds: () => performance.now() / 1000,
    print: text => {
      for (const listener of listeners) listener(text)
    },
    // a page shows what is printed by itself
    isMidLine: false,
    output: async program => {
      throw absent(program)
    },
    // a tab never ends by itself
    onIdle: () => () => {},
    onlyTimersLeft: () => false,
  },
  threads: {
    start: name => {
      throw absent(name)
    },
    // nothing can stop the work: its texts are those of the visitor's own run
    within: (_, work) => work(),
  },
  clock: {
    // promises have their turn before any message
    afterPromises: nextTurn,
    nextTurn,
    letGo: () => {},
    endOfMany: () => new AbortController(),
    delay: (milliseconds, signal) =>
      new Promise((done, fail) => {
        signal?.throwIfAborted()
        const timer = setTimeout(done, milliseconds)
        signal?.addEventListener('abort', () => {
          clearTimeout(timer)
          fail(signal.reason)
        })
      }),
  },
  digests: { createHash: () => digest(), randomUUID: () => crypto.randomUUID() },
  packageFolder: '/flow',
  Buffer: buffers,
}

/** Stated by the build. */
declare const flowVersion: string | undefined

// the manifest of a run names what it ran with
platform.files.mkdirSync(platform.packageFolder)
platform.files.writeFileSync(
  `${platform.packageFolder}/package.json`,
  JSON.stringify({ version: typeof flowVersion === 'string' ? flowVersion : undefined }),
)

const listeners = new Set<(text: string) => void>()

/** Listens to what a program prints, e.g. the answers of `model.answer`, until the function that it returns is called. */
export function onPrint(listener: (text: string) => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

const absent = (name: string): Error =>
  new Error(`${name}: a browser tab has no processes, and no threads of flow; run this graph in Node`)

const turns: (() => void)[] = []
const channel = new MessageChannel()
// the types are Node's, which has another way to listen too
const port = channel.port1 as unknown as { onmessage: () => void }
port.onmessage = () => turns.shift()?.()

/** Without the 4 ms that a browser adds to timers. */
function nextTurn(work: () => void): void {
  turns.push(work)
  channel.port2.postMessage(0)
}

function digest(): Digest {
  const hash = sha256.create()
  const sum = {
    update(data: string | Uint8Array) {
      hash.update(typeof data === 'string' ? buffers.from(data) : data)
      return sum
    },
    digest(form?: 'hex' | 'base64') {
      const bytes = hash.digest()
      if (form === undefined) return buffers.from(bytes)
      return form === 'hex' ? bytesToHex(bytes) : buffers.from(bytes).toString('base64')
    },
  }
  // `digest` gives text with a form, and bytes without
  return sum as Digest
}

/** Larger files of the visitor are not taken into memory. */
const mostBytesInMemory = 16 << 20

/**
 * Puts a file at a path of the tab's own file system: bytes, or a `Blob` (a file that the visitor chose, or one in the
 * origin's private file system). A large blob stays where it lies and is read piece by piece, which suffices for weights and clips.
 */
export async function mount(path: string, content: Uint8Array<ArrayBuffer> | Blob): Promise<void> {
  const isSmall = content instanceof Blob && content.size <= mostBytesInMemory
  const held = isSmall ? new Uint8Array(await content.arrayBuffer()) : content
  platform.files.mkdirSync(paths.dirname(path), { recursive: true })
  tree.put(tree.find(path, 'mount'), tree.file(held))
}
