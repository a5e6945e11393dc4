import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { finishFfmpeg } from '../../../operators/video/ffmpeg.ts'
import { mediaInput } from '../../../operators/video/ffmpeg-input.ts'
import { fileMedia } from '../../../operators/video/media.ts'
import { listingOutput, PacketListing, type Packets } from '../../../operators/video/packet-listing.ts'
import { sampleTables } from '../../../operators/video/sample-tables.ts'
import { clipFolder, make } from './clips.ts'

const folder = await clipFolder(t)
const source = '-f lavfi -i testsrc2=s=64x48:r=25:d=2'
const h264 = '-c:v libx264 -preset ultrafast -g 10'

const told = ({ count, timeBase, first, last, lastDuration, times, keyTimes, keyDecodeTimes }: Packets) => {
  const lists = [times, keyTimes, keyDecodeTimes].map(list => [...list.values()])
  return { count, timeBase: [...timeBase], first, last, lastDuration, lists }
}

async function listing(name: string): Promise<PacketListing> {
  const media = await fileMedia(join(folder, name))
  const packets = new PacketListing(name)
  const args = ['-copyts', ...mediaInput(media), ...listingOutput(false)]
  await finishFfmpeg(args, { subject: name, deadlineSeconds: 20 }, chunk => packets.add(chunk))
  return packets
}

const tablesOf = async (name: string) => sampleTables((await fileMedia(join(folder, name))).bytes)

const plain = {
  'b-frames.mp4': `${source} -f lavfi -i sine=d=2 ${h264} -bf 3`,
  'front.mov': `${source} ${h264} -bf 2 -movflags +faststart`,
  'negative.mp4': `${source} ${h264} -bf 2 -movflags +negative_cts_offsets`,
  'variable.mp4': `${source},select='lt(mod(n,9),5)' -vsync vfr ${h264}`,
  'every-frame-a-key.mp4': `${source} -c:v mjpeg`,
  'other-clock.mp4': `${source} ${h264} -video_track_timescale 90000`,
}

for (const [name, recipe] of Object.entries(plain))
  t.test(`${name}: its tables list the packets that ffmpeg reads`, async t => {
    await make(folder, `${recipe} @${name}`)
    const tables = await tablesOf(name)
    t.same(tables && told(tables), told(await listing(name)))
  })

t.test('tables that do not decide alone what ffmpeg reads are left to it', async t => {
  const others = {
    'fragments.mp4': `${source} ${h264} -movflags +frag_keyframe+empty_moov`,
    'edited.mp4': '-ss 0.5 -i @b-frames.mp4 -an -c copy',
    'two.mp4': `${source} ${source} -map 0 -map 1 ${h264}`,
    'no-tables.mkv': `${source} ${h264}`,
  }
  for (const [name, recipe] of Object.entries(others)) {
    await make(folder, `${recipe} @${name}`)
    t.equal(await tablesOf(name), undefined, name)
  }
  const whole = await readFile(join(folder, 'front.mov'))
  await writeFile(join(folder, 'short.mov'), whole.subarray(0, whole.indexOf('mdat') + 4))
  t.equal(await tablesOf('short.mov'), undefined, 'a chunk beyond the end of the file')
})
