import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openClip } from '../../../operators/video/open-clip.ts'
import { clipFolder, make, openOptions, sampleOf } from './clips.ts'

const folder = await clipFolder(t)
const open = (name: string) => openClip(join(folder, name), sampleOf(name), openOptions)

const picture = '-f lavfi -i testsrc2=s=160x120:r=25:d=2'
const sound = '-f lavfi -i sine=d=2'
const h264 = '-c:v libx264 -preset ultrafast -pix_fmt yuv420p'

/** How each kind of file is made, and whether its decoder can see that bytes were overwritten. */
const kinds: Readonly<Record<string, { recipe: string; sees: boolean }>> = {
  'a.avi': { recipe: `${picture} -c:v mpeg4`, sees: true },
  'sound.avi': { recipe: `${picture} ${sound} -c:v mpeg4 -c:a mp2`, sees: false },
  'a.mkv': { recipe: `${picture} ${h264} -coder 0`, sees: true },
  'sound.mkv': { recipe: `${picture} ${sound} ${h264} -c:a aac`, sees: false },
  'live.mkv': { recipe: `${picture} ${h264} -live 1`, sees: false },
  'a.mp4': { recipe: `${picture} ${h264} -coder 0 -movflags +faststart`, sees: true },
  'parts.mp4': { recipe: `${picture} ${h264} -g 10 -movflags +frag_keyframe+empty_moov`, sees: false },
  'a.mov': { recipe: `${picture} -c:v mpeg4 -movflags +faststart`, sees: true },
  'a.3gp': { recipe: `${picture} -c:v mpeg4 -movflags +faststart`, sees: true },
  'a.webm': { recipe: `${picture} -c:v libvpx -deadline realtime`, sees: false },
  'a.mpg': { recipe: `${picture} -c:v mpeg2video`, sees: true },
  'a.vob': { recipe: `${picture} ${sound} -c:v mpeg2video -c:a mp2`, sees: true },
  'a.ts': { recipe: `${picture} -c:v mpeg2video`, sees: false },
  'a.m2ts': { recipe: `${picture} ${h264} -mpegts_m2ts_mode 1`, sees: false },
  'a.flv': { recipe: `${picture} -c:v flv`, sees: true },
  'a.ogv': { recipe: `${picture} -c:v libtheora`, sees: true },
  'a.gif': { recipe: picture, sees: true },
  'a.wmv': { recipe: `${picture} -c:v wmv2`, sees: false },
  'a.mxf': { recipe: `${picture} -c:v mpeg2video`, sees: true },
}

for (const [name, { recipe, sees }] of Object.entries(kinds))
  t.test(`${name}: whole, cut, and overwritten`, async t => {
    await make(folder, `${recipe} @${name}`)
    const bytes = await readFile(join(folder, name))
    t.equal((await open(name)).damage, undefined, 'a whole clip is not damaged')
    for (const share of [0.6, 0.93]) {
      await writeFile(join(folder, `cut-${name}`), bytes.subarray(0, Math.floor(bytes.length * share)))
      const { damage } = await open(`cut-${name}`)
      t.ok(damage, `cut at ${share}: ${damage}`)
    }
    if (!sees) return
    const overwritten = Buffer.from(bytes)
    const start = Math.floor(bytes.length / 2)
    // no byte is as it was, and the same ones each time
    for (let i = 0; i < 200; i++)
      overwritten[start + i] = (overwritten[start + i] ?? 0) ^ (1 + ((i * 89) % 255))
    await writeFile(join(folder, `over-${name}`), overwritten)
    const { damage } = await open(`over-${name}`)
    t.ok(damage, `overwritten: ${damage}`)
  })

t.test(
  'a clip that ends between two packets is damaged where its container states how long it is',
  async t => {
    const bytes = await readFile(join(folder, 'a.flv'))
    let end = 13
    while (end < bytes.length * 0.6) end += 15 + bytes.readUIntBE(end + 1, 3)
    await writeFile(join(folder, 'shorter.flv'), bytes.subarray(0, end))
    t.match((await open('shorter.flv')).damage, /it should last 2 s, and ends after 1\.\d+ s/)
  },
)

t.test('an Ogg file whose last page is missing is damaged', async t => {
  const bytes = await readFile(join(folder, 'a.ogv'))
  await writeFile(join(folder, 'shorter.ogv'), bytes.subarray(0, bytes.lastIndexOf('OggS')))
  t.match((await open('shorter.ogv')).damage, /the page that ends an Ogg stream is missing/)
})

t.test('healthy clips that look unusual are not damaged', async t => {
  const healthy = {
    'longer-sound.mkv': `${picture} -f lavfi -i sine=d=4 ${h264} -c:a aac`,
    'variable.mp4': `${picture},select='not(mod(n,7))+lt(n,20)' -vsync vfr ${h264}`,
    'looped.mp4': `-stream_loop 3 -i @a.mp4 -c copy`,
    'started-late.mkv': `-ss 1 -i @a.mp4 -c copy`,
  }
  for (const [name, recipe] of Object.entries(healthy)) {
    await make(folder, `${recipe} @${name}`)
    t.equal((await open(name)).damage, undefined, name)
  }
})

t.test('a folder is damaged when one of its pictures is cut, and the picture is named', async t => {
  for (const format of ['jpg', 'png']) {
    await mkdir(join(folder, format))
    await make(folder, `-f lavfi -i testsrc2=s=64x48:r=5:d=1 @${format}/%05d.${format}`)
    t.equal((await open(format)).damage, undefined)
    const path = join(folder, format, `00003.${format}`)
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length >> 1))
    t.match((await open(format)).damage, new RegExp(`00003.${format} has no end`))
  }
})

t.test('lists, patterns and scripts that name other files are not opened', async t => {
  const clip = join(folder, 'a.mp4')
  const lists = {
    'list.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${clip}\n#EXT-X-ENDLIST\n`,
    'list.ffconcat': `ffconcat version 1.0\nfile '${clip}'\n`,
    'list.mpd': `<?xml version="1.0"?><MPD><BaseURL>${clip}</BaseURL></MPD>`,
    '%05d.jpg': '',
  }
  for (const [name, text] of Object.entries(lists)) {
    await writeFile(join(folder, name), text)
    await t.rejects(open(name), { code: 'not-a-video' }, name)
  }
  const told =
    /list\.ffconcat: not a video .*ffmpeg said: this format may name other files, and flow does not open it/
  await t.rejects(open('list.ffconcat'), { message: told })
})
