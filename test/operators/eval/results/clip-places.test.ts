import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { tarGzOf, tarOf, zipOf } from '../../files/make-archives.ts'
import { dataOf, startEvaluation } from '../evaluate.ts'
import { commits, copyOf, settings, tryAll } from './trials.ts'

/** The files of a folder by their paths, with its own name before them. */
function filesOf(parent: string, name: string): Record<string, Buffer> {
  const entries = readdirSync(join(parent, name), { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return Object.fromEntries(paths.sort().map(path => [relative(parent, path), readFileSync(path)]))
}

/** Puts files where they would lie, with times of their own. */
function unpackInto(parent: string, files: Readonly<Record<string, Buffer>>): void {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(parent, name)), { recursive: true })
    writeFileSync(join(parent, name), bytes)
  }
}

t.test('where a clip lies is no part of what a result was made of', async t => {
  const folder = t.testdir()
  const [first, out] = [join(folder, 'data'), join(folder, 'out')]
  const [second, third] = [join(folder, 'elsewhere/of another name'), join(folder, 'whole')]
  copyOf(dataOf('mvbench'), first)
  const video = join(first, 'video')
  const files = { ...filesOf(video, 'nturgbd'), ...filesOf(video, 'tvqa') }
  const clip = Object.keys(files).find(name => name.endsWith('.avi')) ?? ''
  const packed = join(video, 'clips.zip')
  const pack = (name: string, bytes: Buffer) => {
    for (const one of ['nturgbd', 'tvqa', 'clips.zip', 'clips.tar', 'clips.tar.gz'])
      rmSync(join(video, one), { recursive: true, force: true })
    writeFileSync(join(video, name), bytes)
  }
  const moveWhole = () => {
    mkdirSync(dirname(second))
    renameSync(first, second)
  }
  const at = (data: string) => [`data=${data}`]
  const changed = { ...files, [clip]: Buffer.concat([files[clip] ?? Buffer.alloc(0), Buffer.alloc(4)]) }
  await tryAll(
    t,
    out,
    [...settings, 'answers=constant'],
    [
      ['in folders', '3 asked, 0 scored', at(first)],
      ['in a zip archive', '0 asked, 0 scored', at(first), () => pack('clips.zip', zipOf(files))],
      [
        'compressed',
        '0 asked, 0 scored',
        at(first),
        () => pack('clips.zip', zipOf(files, { deflate: true })),
      ],
      ['in a tar archive', '0 asked, 0 scored', at(first), () => pack('clips.tar', tarOf(files))],
      ['in a compressed one', '0 asked, 0 scored', at(first), () => pack('clips.tar.gz', tarGzOf(files))],
      [
        'a clip changed in an archive',
        '1 asked, 0 scored',
        at(first),
        () => pack('clips.tar', tarOf(changed)),
      ],
      ['the same in a zip', '0 asked, 0 scored', at(first), () => pack('clips.zip', zipOf(changed))],
      [
        'unpacked',
        '0 asked, 0 scored',
        at(first),
        () => {
          rmSync(packed)
          unpackInto(video, changed)
        },
      ],
      ['a folder of another name', '0 asked, 0 scored', at(second), moveWhole],
      [
        'a copy with other times',
        '0 asked, 0 scored',
        at(third),
        () => cpSync(second, third, { recursive: true }),
      ],
      // the report names the place, so what stands there is written anew
      [
        'another folder in it',
        '0 asked, 1 scored',
        at(third),
        () => {
          mkdirSync(join(third, 'video/data0613/nturgbd'), { recursive: true })
          renameSync(join(third, 'video', clip), join(third, 'video/data0613', clip))
        },
      ],
    ],
  )
})

t.test('subtitles count by their words, and not by their place', async t => {
  const folder = t.testdir()
  const [data, out] = [copyOf(dataOf('video-mme'), join(folder, 'data')), join(folder, 'out')]
  const files = filesOf(data, 'subtitle')
  const pack = () => {
    rmSync(join(data, 'subtitle'), { recursive: true })
    writeFileSync(join(data, 'subtitle.zip'), zipOf(files))
  }
  const run = async () => {
    const before = commits(out).length
    await startEvaluation('video-mme', out, [
      'limit=3',
      'nodes.evaluation/watch.config.sheetWidth=0',
      'answers=constant',
      'subtitles=true',
      `data=${data}`,
    ]).done
    return commits(out).length - before
  }
  t.equal(await run(), 3)
  pack()
  t.equal(await run(), 0, 'in an archive')
  rmSync(join(data, 'subtitle.zip'))
  const others = Object.entries(files).map(([name, words]) => [
    name,
    Buffer.concat([words, Buffer.from('\n')]),
  ])
  unpackInto(data, Object.fromEntries(others))
  t.equal(await run(), 3, 'other words')
})
