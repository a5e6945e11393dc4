// The files of a browser tab do what Node's do: each line of work is done on both, and must come to the same.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { platform } from '../../../engine/platform/node.ts'
import type { Files } from '../../../engine/platform/platform.ts'
import { tabFiles } from '../../../engine/platform/tab/files.ts'
import { Tree } from '../../../engine/platform/tab/tree.ts'

/** Work in a folder; what it returns or throws is compared. */
type Work = (files: Files, folder: string) => unknown

/** The value as JSON would keep it, or the code of the error. */
async function outcome(work: Work, files: Files, folder: string): Promise<unknown> {
  try {
    const value = await work(files, folder)
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  } catch (error) {
    const { code } = error as { code?: string }
    return { code }
  }
}

const works: Readonly<Record<string, Work>> = {
  'a text that was written is read': (f, at) => {
    f.writeFileSync(join(at, 'a'), 'grüße')
    return [
      f.readFileSync(join(at, 'a'), 'utf8'),
      f.readFileSync(join(at, 'a')).length,
      f.existsSync(join(at, 'a')),
    ]
  },
  'bytes are appended': (f, at) => {
    f.appendFileSync(join(at, 'a'), 'one')
    f.appendFileSync(join(at, 'a'), new Uint8Array([10, 20]))
    return f.readFileSync(join(at, 'a'))
  },
  'a missing file cannot be read': (f, at) => f.readFileSync(join(at, 'none')),
  'a missing file has no stat, if that is wanted': (f, at) =>
    f.statSync(join(at, 'none'), { throwIfNoEntry: false }),
  'a file below a file is missing too': (f, at) => {
    f.writeFileSync(join(at, 'a'), '')
    return f.statSync(join(at, 'a', 'b'))
  },
  'a folder cannot be read as a file': (f, at) => f.readFileSync(at, 'utf8'),
  'a folder that is there cannot be made': (f, at) => f.mkdirSync(at),
  'a folder in a missing one cannot be made': (f, at) => f.mkdirSync(join(at, 'x/y')),
  'folders are made down to the last': (f, at) => {
    f.mkdirSync(join(at, 'x/y/z'), { recursive: true })
    f.mkdirSync(join(at, 'x/y/z'), { recursive: true })
    return [f.statSync(join(at, 'x/y/z')).isDirectory(), f.readdirSync(join(at, 'x'))]
  },
  'names are listed in order, with their kinds': (f, at) => {
    f.mkdirSync(join(at, 'b'))
    f.writeFileSync(join(at, 'a'), '')
    return f.readdirSync(at, { withFileTypes: true }).map(one => [one.name, one.isFile(), one.isDirectory()])
  },
  'a file is moved over another': (f, at) => {
    f.writeFileSync(join(at, 'a'), 'new')
    f.writeFileSync(join(at, 'b'), 'old and longer')
    f.renameSync(join(at, 'a'), join(at, 'b'))
    return [f.readdirSync(at), f.readFileSync(join(at, 'b'), 'utf8')]
  },
  'a folder is moved with what it holds, and not over a full one': async (f, at) => {
    f.mkdirSync(join(at, 'a/in'), { recursive: true })
    await f.rename(join(at, 'a'), join(at, 'b'))
    f.mkdirSync(join(at, 'c'))
    const before = f.readdirSync(join(at, 'b'))
    const code = await f.rename(join(at, 'c'), join(at, 'b')).catch((error: { code: string }) => error.code)
    return [before, code]
  },
  'a missing file cannot be moved': (f, at) => f.renameSync(join(at, 'a'), join(at, 'b')),
  'a file is removed, and a missing one only by force': (f, at) => {
    f.writeFileSync(join(at, 'a'), '')
    f.rmSync(join(at, 'a'))
    f.rmSync(join(at, 'a'), { force: true })
    f.rmSync(join(at, 'a'))
  },
  'a folder is removed with all in it': (f, at) => {
    f.mkdirSync(join(at, 'x/y'), { recursive: true })
    f.rmSync(join(at, 'x'), { recursive: true })
    return f.readdirSync(at)
  },
  'a file that must be new is not written over': (f, at) => {
    f.closeSync(f.openSync(join(at, 'a'), 'wx'))
    f.openSync(join(at, 'a'), 'wx')
  },
  'a link is another name of the file, and not over one': (f, at) => {
    f.writeFileSync(join(at, 'a'), 'x')
    f.linkSync(join(at, 'a'), join(at, 'b'))
    f.appendFileSync(join(at, 'b'), 'y')
    f.linkSync(join(at, 'a'), join(at, 'b'))
  },
  'a link shows what is written to the other name': (f, at) => {
    f.writeFileSync(join(at, 'a'), 'x')
    f.linkSync(join(at, 'a'), join(at, 'b'))
    f.appendFileSync(join(at, 'b'), 'y')
    return f.readFileSync(join(at, 'a'), 'utf8')
  },
  'a symbolic link leads to a folder, and is removed alone': async (f, at) => {
    f.mkdirSync(join(at, 'one'))
    f.writeFileSync(join(at, 'one/a'), 'x')
    await f.symlink('one', join(at, 'last'), 'dir')
    const read = await f.readFile(join(at, 'last/a'), 'utf8')
    await f.rm(join(at, 'last'), { recursive: true })
    return [read, f.readdirSync(at), f.readdirSync(join(at, 'one'))]
  },
  'bytes are written and read by a handle': (f, at) => {
    const handle = f.openSync(join(at, 'a'), 'w')
    f.writeSync(handle, 'hello')
    f.writeSync(handle, new Uint8Array([33, 34]), 1)
    f.fsyncSync(handle)
    const { size } = f.fstatSync(handle)
    f.closeSync(handle)
    const again = f.openSync(join(at, 'a'), 'r')
    const into = new Uint8Array(4)
    const counts = [f.readSync(again, into, 1, 3, 3), f.readSync(again, into, 0, 4, 100)]
    f.closeSync(again)
    return [size, counts, [...into]]
  },
  'a file is cut, and filled with zeros': (f, at) => {
    f.writeFileSync(join(at, 'a'), 'abcdef')
    f.truncateSync(join(at, 'a'), 2)
    f.truncateSync(join(at, 'a'), 4)
    return f.readFileSync(join(at, 'a'))
  },
  'a shorter text replaces a longer one': async (f, at) => {
    await f.writeFile(join(at, 'a'), 'a long text')
    await f.writeFile(join(at, 'a'), 'short')
    return f.readFile(join(at, 'a'), 'utf8')
  },
  'a copy is a file of its own': async (f, at) => {
    f.writeFileSync(join(at, 'a'), 'x')
    await f.copyFile(join(at, 'a'), join(at, 'b'))
    f.appendFileSync(join(at, 'a'), 'y')
    return f.readFile(join(at, 'b'), 'utf8')
  },
  'a stream gives a part of a file': async (f, at) => {
    f.writeFileSync(join(at, 'a'), 'abcdef')
    const chunks: Uint8Array[] = []
    for await (const chunk of f.createReadStream(join(at, 'a'), { start: 1, end: 3 })) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  },
  'an opened file is read piece by piece and written': async (f, at) => {
    const handle = await f.open(join(at, 'a'), 'w')
    await handle.write(new Uint8Array([1, 2, 3, 4]), 1)
    await handle.close()
    const reader = await f.open(join(at, 'a'))
    const into = Buffer.alloc(2)
    const { bytesRead } = await reader.read(into, 0, 2, 2)
    const { size } = await reader.stat()
    await reader.close()
    return [bytesRead, size, [...into]]
  },
  'a temporary folder is a new one': async (f, at) => {
    const [a, b] = [await f.mkdtemp(join(at, 'x-')), await f.mkdtemp(join(at, 'x-'))]
    return [a !== b, f.readdirSync(at).length]
  },
  'a real path has no dots in it': (f, at) => {
    f.mkdirSync(join(at, 'x'))
    return f.realpathSync(`${at}/x/../x/.`).slice(at.length)
  },
}

for (const [name, work] of Object.entries(works))
  t.test(name, async t => {
    const real = mkdtempSync(join(tmpdir(), 'tab-files-'))
    t.teardown(() => rmSync(real, { recursive: true }))
    const tab = tabFiles(new Tree(), Buffer)
    tab.mkdirSync('/work/here', { recursive: true })
    t.same(await outcome(work, tab, '/work/here'), await outcome(work, platform.files, real))
  })

t.test('a file of the visitor is read piece by piece and never changed', async t => {
  const tree = new Tree()
  const files = tabFiles(tree, Buffer)
  tree.put(tree.find('/clip', 'mount'), tree.file(new Blob(['0123456789'])))
  t.equal(files.statSync('/clip').size, 10)
  const handle = await files.open('/clip')
  const into = Buffer.alloc(3)
  await handle.read(into, 0, 3, 4)
  t.equal(into.toString(), '456')
  t.equal(await files.readFile('/clip', 'utf8'), '0123456789')
  t.throws(() => files.readFileSync('/clip'), /piece by piece/)
  t.throws(() => files.writeFileSync('/clip', 'x'), { code: 'EROFS' })
})
