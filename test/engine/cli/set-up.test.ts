import { join } from 'node:path'
import t from 'tap'
import {
  adapterFound,
  failed,
  fake,
  ffmpeg,
  ffmpegFound,
  ok,
  type Result,
  setUp,
  vulkan,
} from './set-up-machine.ts'

t.test('an ffmpeg that runs is all that is asked for', async t => {
  const { machine, commands } = fake(() => ok)
  t.equal(await ffmpeg(machine), undefined)
  t.same(commands, ['ffmpeg -hide_banner -version'])
})

t.test('FFMPEG_BIN is taken at its word, and a wrong one is an error that names it', async t => {
  const good = fake(() => ok, { env: { FFMPEG_BIN: '/opt/ffmpeg' } })
  t.equal(await ffmpeg(good.machine), undefined)
  t.same(good.commands, ['/opt/ffmpeg -hide_banner -version'])
  const bad = fake(() => failed, { env: { FFMPEG_BIN: '/opt/nothing' } })
  await t.rejects(ffmpeg(bad.machine), /FFMPEG_BIN: \/opt\/nothing does not run\n {4}it broke/)
})

t.test('root on Debian gets ffmpeg through apt', async t => {
  const { machine, ran, lines } = fake(text =>
    text.startsWith('ffmpeg') && !ran('install -y --no-install-recommends ffmpeg') ? failed : ok,
  )
  t.equal(await ffmpeg(machine), undefined)
  t.match(lines, ['installing ffmpeg (apt-get install ffmpeg)'])
})

t.test('without permission ffmpeg-static is downloaded', async t => {
  const folder = join(t.testdir({ node_modules: { 'ffmpeg-static': { 'install.js': '' } } }))
  const { machine, ran } = fake(text => (text.startsWith('ffmpeg') ? failed : ok), {
    root: folder,
    env: { FLOW_NO_SYSTEM_INSTALL: '1' },
    exists: path => path.endsWith('install.js'),
  })
  t.equal(await ffmpeg(machine), undefined)
  t.ok(ran('node install.js'))
  t.notOk(ran('apt-get'))
})

t.test('what cannot be had is named with the command that installs it, and nothing is installed', async t => {
  const { machine, ran } = fake(() => failed, { env: { FLOW_NO_SYSTEM_INSTALL: '1' } })
  t.match(await ffmpeg(machine), {
    what: 'ffmpeg',
    why: /FLOW_NO_SYSTEM_INSTALL/,
    commands: [/apt-get install -y ffmpeg/],
  })
  const driver = await vulkan(machine)
  t.match(
    driver?.commands.join('\n'),
    /bookworm-backports main' > .*\napt-get update\napt-get install -y -t bookworm-backports mesa/,
  )
  t.notOk(ran('apt-get'))
  const user = fake(() => failed, { isRoot: false })
  t.match(await ffmpeg(user.machine), { why: /needs root/ })
})

t.test('Debian 12 gets its Vulkan driver from backports, in a sources file of its own', async t => {
  const { machine, written, ran } = fake(text =>
    text.includes('adapter.mjs') && !ran('install -y') ? failed : ok,
  )
  t.equal(await vulkan(machine), undefined)
  t.ok(ran('-t bookworm-backports mesa-vulkan-drivers libvulkan1'))
  t.match([...written.entries()], [[/flow-bookworm-backports.list$/, /^deb .* bookworm-backports main\n$/]])
})

t.test('backports that are there already are not added again', async t => {
  const { machine, written, ran } = fake(text => {
    if (text.startsWith('apt-cache'))
      return { status: 0, output: 'release o=Debian,n=bookworm-backports,c=main' }
    return text.includes('adapter.mjs') && !ran('install -y') ? failed : ok
  })
  t.equal(await vulkan(machine), undefined)
  t.equal(written.size, 0)
})

t.test('another Debian gets the driver of its own release', async t => {
  const release = { apt: true, id: 'debian', codename: 'trixie' }
  const { machine, ran } = fake(text => (text.includes('adapter.mjs') && !ran('install -y') ? failed : ok), {
    release,
  })
  t.equal(await vulkan(machine), undefined)
  t.notOk(ran('backports'))
})

t.test('a driver that does not help, or is asked for by name, is an error', async t => {
  const useless = fake(text => (text.includes('adapter.mjs') ? failed : ok))
  await t.rejects(vulkan(useless.machine), /Dawn finds no adapter\n {4}it broke/)
  const named = fake(() => failed, { env: { FLOW_ADAPTER: 'nvidia' } })
  await t.rejects(vulkan(named.machine), /FLOW_ADAPTER: no adapter whose name contains "nvidia"/)
  t.notOk(named.ran('apt-get'))
})

t.test('a SwiftShader that is there already is used before anything is installed', async t => {
  const folder = '/package/.cache/flow/swiftshader'
  let asked = 0
  const { machine, ran } = fake(text => (text.includes('adapter.mjs') && asked++ === 0 ? failed : ok), {
    exists: path => path === folder || path.endsWith('node_modules/webgpu'),
  })
  t.equal(await vulkan(machine), undefined)
  t.match(machine.environment, {
    LD_LIBRARY_PATH: folder,
    VK_DRIVER_FILES: `${folder}/vk_swiftshader_icd.json`,
  })
  t.notOk(ran('apt-get'))
})

t.test('an apt that fails says so with the end of its output', async t => {
  const { machine } = fake(text =>
    text.includes('install -y') ? { status: 100, output: 'E: no network' } : failed,
  )
  await t.rejects(ffmpeg(machine), /apt-get could not install ffmpeg\n {4}it broke\s*E: no network/)
})

t.test('set-up says which adapter and which ffmpeg it found', async t => {
  const answers = (command: string): Result =>
    command.includes('adapter.mjs')
      ? { status: 0, output: 'Warning: x\nadapter: Card 9\n' }
      : { status: 0, output: 'ffmpeg version 5.1.6-0 Copyright\n' }
  const { machine } = fake(answers)
  t.equal(await adapterFound(machine), 'adapter: Card 9')
  t.equal(await ffmpegFound(machine), 'ffmpeg: 5.1.6-0, of the PATH')
  const named = fake(answers, { env: { FFMPEG_BIN: '/opt/ffmpeg' } }).machine
  t.equal(await ffmpegFound(named), 'ffmpeg: 5.1.6-0, /opt/ffmpeg')
})

t.test('another value of FLOW_NO_SYSTEM_INSTALL than 1 is refused before anything is installed', async t => {
  for (const value of ['true', 'yes', '0', 'false', ' 1']) {
    const { machine, ran } = fake(() => failed, { env: { FLOW_NO_SYSTEM_INSTALL: value } })
    const message = `FLOW_NO_SYSTEM_INSTALL: must be 1 or not set, found "${value}"\n    fix:  set FLOW_NO_SYSTEM_INSTALL=1, or unset it`
    const steps = { install: [ffmpeg, vulkan], build: async () => undefined }
    await t.rejects(setUp.setUp(machine, steps), { code: 'set-up', message })
    t.notOk(ran(''), 'nothing was run')
  }
  const { machine } = fake(() => ok, { env: { FLOW_NO_SYSTEM_INSTALL: '' } })
  await t.resolves(
    setUp.setUp(machine, { install: [ffmpeg], build: async () => undefined }),
    'an empty value is none',
  )
})
