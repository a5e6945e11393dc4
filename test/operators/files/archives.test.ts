import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { archivesIn, unpackCommand } from '../../../operators/files/archives.ts'
import { packedAt, readWhole } from '../../../operators/files/packed-file.ts'
import { openClip } from '../../../operators/video/open-clip.ts'
import { clipFolder, make, numbered, numberOf, openOptions, sampleOf } from '../video/clips.ts'
import { blockOf, partsOf, paxLine, tarGzOf, tarOf, type ZipOptions, zipOf } from './make-archives.ts'

const folder = await clipFolder(t)
process.env.FLOW_CACHE = join(folder, 'cache')
await make(folder, `${numbered('32x32', 5, 8)} -c:v libx264 -qp 0 -pix_fmt yuv420p @a.mp4`)
await make(folder, `${numbered('32x24', 3, 4)} -q:v 2 @%05d.jpg`)
const clip = await readFile(join(folder, 'a.mp4'))
const pictures = await Promise.all([1, 2, 3, 4].map(i => readFile(join(folder, `0000${i}.jpg`))))
const files = {
  'notes.txt': Buffer.from('before'),
  'videos/a.mp4': clip,
  ...Object.fromEntries(pictures.map((bytes, i) => [`frames/show/0000${i + 1}.jpg`, bytes])),
  'subtitles/a.srt': Buffer.from('1\n00:00:01,000 --> 00:00:02,000\nHello\n'),
}

function write(place: string, written: Readonly<Record<string, Buffer>>): string {
  for (const [name, bytes] of Object.entries(written)) {
    mkdirSync(dirname(join(folder, place, name)), { recursive: true })
    writeFileSync(join(folder, place, name), bytes)
  }
  return join(folder, place, Object.keys(written)[0] ?? '')
}

/** Parts with names that end in a counter. */
const named = (stem: string, bytes: Buffer, length: number, end: (i: number) => string) =>
  Object.fromEntries(partsOf(bytes, length).map((part, i) => [`${stem}${end(i)}`, part]))

const numberedPart = (i: number) => `.${String(i + 1).padStart(3, '0')}`
const cut = Math.floor(clip.length / 3)

function volumes(options: ZipOptions, length: number): Record<string, Buffer> {
  const parts = partsOf(zipOf(files, { ...options, volumeBytes: length }), length)
  const name = (i: number) => (i === parts.length - 1 ? 'x.zip' : `x.z${String(i + 1).padStart(2, '0')}`)
  return Object.fromEntries(parts.map((part, i) => [name(i), part]))
}

const kinds: Readonly<Record<string, Record<string, Buffer>>> = {
  stored: { 'x.zip': zipOf(files) },
  deflated: { 'x.zip': zipOf(files, { deflate: true }) },
  large: { 'x.zip': zipOf(files, { large: true }) },
  'zip in parts': named('x.zip', zipOf(files), cut, numberedPart),
  'deflated zip in parts': named('x.zip', zipOf(files, { deflate: true }), cut, numberedPart),
  'zip in volumes': volumes({}, cut),
  'deflated zip in volumes': volumes({ deflate: true }, cut),
  tar: { 'x.tar': tarOf(files) },
  'tar in parts': named('x.tar.part.', tarOf(files), cut, i => `a${'abcdefghijklmnop'[i]}`),
  'tar.gz': { 'x.tar.gz': tarGzOf(files) },
  'tar.gz in parts': named('x.tar.gz', tarGzOf(files), cut, i => `.0${i}`),
  'a name that lists cannot hold': named('x|y.zip', zipOf(files), cut, numberedPart),
}

for (const [kind, written] of Object.entries(kinds))
  t.test(`${kind}: clips, pictures and subtitles are read from it`, async t => {
    const first = write(kind, written)
    const wanted = [7, 0, 3]
    const video = await openClip(join(first, 'videos/a.mp4'), sampleOf(''), openOptions)
    t.match(video, {
      frameCount: 8,
      framesPerSecond: 5,
      damage: undefined,
      path: join(first, 'videos/a.mp4'),
    })
    t.same((await video.read(wanted)).map(numberOf), wanted)
    video.close?.()
    const show = await openClip(join(first, 'frames/show'), sampleOf(''), openOptions)
    t.match(show, { frameCount: 4, firstFrame: 1, width: 32, height: 24, damage: undefined })
    t.same((await show.read([3, 1])).map(numberOf), [3, 1])
    t.same(await readWhole(join(first, 'subtitles/a.srt')), files['subtitles/a.srt'])
    t.equal(await packedAt(join(first, 'videos/b.mp4')), undefined)
    await t.rejects(openClip(join(first, 'videos/b.mp4'), sampleOf(''), openOptions), { code: 'no-file' })
    t.same(unpackedFiles(), [], 'nothing stays on disk')
  })

const unpackedFiles = (): string[] =>
  existsSync(join(folder, 'cache/unpacked')) ? readdirSync(join(folder, 'cache/unpacked')) : []

t.test('long names of tar archives are read in both forms', async t => {
  const name = `${'folder/'.repeat(20)}a.srt`
  for (const form of ['gnu', 'pax'] as const) {
    const path = write(form, {
      'x.tar': tarOf({ [name]: Buffer.from('long'), 'b.srt': Buffer.from('b') }, form),
    })
    t.equal(String(await readWhole(join(path, name))), 'long')
    t.equal(String(await readWhole(join(path, 'b.srt'))), 'b')
  }
})

t.test('a clip whose compressed data is not what the archive says is damaged', async t => {
  const bytes = zipOf({ 'a.mp4': clip }, { deflate: true })
  const other = Buffer.from(bytes)
  other[60] = (other[60] ?? 0) ^ 0xff
  const path = write('corrupt', { 'x.zip': other })
  const opening = openClip(join(path, 'a.mp4'), sampleOf(''), openOptions)
  await t.rejects(opening, { code: 'damaged', message: /x\.zip\/a\.mp4: damaged/ })
  t.same(unpackedFiles(), [])
})

t.test(
  'a compressed clip is on disk only while it is open, and files of other machines are left alone',
  async t => {
    const path = write('left', { 'x.zip': zipOf({ 'a.mp4': clip }, { deflate: true }) })
    const left = join(folder, 'cache/unpacked/0123456789ab-1-1')
    writeFileSync(left, 'of another machine')
    const opened = await openClip(join(path, 'a.mp4'), sampleOf(''), openOptions)
    t.equal(unpackedFiles().length, 2, 'one file at a time, and what is not ours is kept')
    opened.close?.()
    t.same(unpackedFiles(), ['0123456789ab-1-1'])
  },
)

t.test('an archive that cannot be read says why', async t => {
  const whole = zipOf(files)
  const cases: [string, Record<string, Buffer>, RegExp][] = [
    ['without its end', { 'x.zip': whole.subarray(0, whole.length - 30) }, /a part is missing, or it is cut/],
    ['a part missing', { 'x.zip.001': whole.subarray(0, cut) }, /a part is missing, or it is cut/],
    ['no tar', { 'x.tar': Buffer.from('x') }, /it holds no file/],
    ['cut tar', { 'x.tar': tarOf(files).subarray(0, 2000) }, /ends beyond the end of the archive/],
    ['no gzip', { 'x.tar.gz': Buffer.from('not compressed') }, /incorrect header check/],
    ['another kind', { 'x.7z': Buffer.from('x') }, /7z cannot be read without unpacking it/],
  ]
  for (const [place, written, message] of cases) {
    const path = write(place, written)
    await t.rejects(packedAt(join(path, 'videos/a.mp4')), { code: 'bad-archive', message })
  }
})

t.test('an archive that states sizes which cannot be is refused, and none of it is read', async t => {
  const end = Buffer.alloc(1024)
  const video = blockOf('videos/a.mp4', '0', clip)
  const many = (7 * 2 ** 30).toString(8).padStart(11, '0')
  const tars: Readonly<Record<string, [Buffer, RegExp]>> = {
    'less than nothing': [
      blockOf('a', '0', Buffer.alloc(0), '-2000'),
      /the size of the file at byte 0 is -1024/,
    ],
    'less than nothing in a field': [
      Buffer.concat([blockOf('x', 'x', paxLine('size', '-512')), video]),
      /the size of the file at byte 1024 is -512/,
    ],
    'a part of a byte': [
      Buffer.concat([blockOf('x', 'x', paxLine('size', '0.5')), video]),
      /the size of the file at byte 1024 is 0.5/,
    ],
    'a long header': [blockOf('x', 'x', Buffer.alloc(0), many), /the header at byte 0 has 7516192768 bytes/],
    'a long name': [blockOf('x', 'L', Buffer.alloc(0), many), /the header at byte 0 has 7516192768 bytes/],
  }
  for (const [place, [bytes, message]] of Object.entries(tars))
    for (const [name, written] of [
      ['x.tar', Buffer.concat([bytes, video, end])],
      ['x.tar.gz', gzipSync(Buffer.concat([bytes, video, end]))],
    ] as const) {
      const path = write(place, { [name]: written })
      await t.rejects(
        packedAt(join(path, 'videos/a.mp4')),
        { code: 'bad-archive', message },
        `${place}, ${name}`,
      )
    }
})

t.test('a file that would unpack to more than a disk holds is refused before it is unpacked', async t => {
  const bytes = zipOf({ 'a.mp4': clip, 'a.json': clip }, { deflate: true, large: true })
  // the sizes before packing, in the list
  for (
    let at = bytes.indexOf(Buffer.from([1, 0, 24, 0]));
    at > 0;
    at = bytes.indexOf(Buffer.from([1, 0, 24, 0]), at + 1)
  )
    bytes.writeBigUInt64LE(2n ** 50n, at + 4)
  const path = write('bomb', { 'x.zip': bytes })
  const message =
    /x\.zip\/a\.\w+: cannot be read from its archive: \d+ bytes of it would unpack to 1125899906842624/
  await t.rejects(openClip(join(path, 'a.mp4'), sampleOf(''), openOptions), { message })
  await t.rejects(readWhole(join(path, 'a.json')), { code: 'bad-archive', message })
  t.same(
    unpackedFiles().filter(name => !name.startsWith('0123')),
    [],
  )
})

t.test('zip files of several numbers are archives of their own, parts and volumes belong to one', async t => {
  const x = Buffer.from('x')
  const names = [
    'c_01.zip',
    'c_02.zip',
    'v.z01',
    'v.z02',
    'v.zip',
    'p.zip.001',
    'p.zip.002',
    'r.part1.rar',
    'r.part2.rar',
  ]
  const path = dirname(write('grouped', Object.fromEntries(names.map(name => [name, x]))))
  const found = await archivesIn(path)
  t.same(
    found.map(({ paths }) => paths.map(one => one.slice(path.length + 1)).join(' ')),
    ['c_01.zip', 'c_02.zip', 'p.zip.001 p.zip.002', 'r.part1.rar r.part2.rar', 'v.z01 v.z02 v.zip'],
  )
  t.same(found.map(unpackCommand), [
    `unzip -n ${path}/c_01.zip -d ${path}`,
    `unzip -n ${path}/c_02.zip -d ${path}`,
    `cat ${path}/p.zip.001 ${path}/p.zip.002 > ${path}/whole.zip && unzip -n ${path}/whole.zip -d ${path}`,
    `unrar x -o- ${path}/r.part1.rar ${path}/`,
    `zip -s 0 ${path}/v.zip --out ${path}/whole.zip && unzip -n ${path}/whole.zip -d ${path}`,
  ])
})

t.test('a whole file from a damaged archive is an error with its path', async t => {
  const text = Buffer.from('subtitles '.repeat(50))
  for (const deflate of [false, true]) {
    const path = join(t.testdir(), `a-${deflate}.zip`)
    const bytes = zipOf({ 'a.srt': text }, { deflate })
    const at = deflate ? 4 + 26 + 'a.srt'.length + 6 : bytes.indexOf(text)
    bytes[at] = (bytes[at] ?? 0) ^ 0xff
    writeFileSync(path, bytes)
    await t.rejects(readWhole(join(path, 'a.srt')), { code: 'damaged', message: /\.zip\/a\.srt: damaged/ })
  }
})
