// Adapters with equal names are told apart: two files of one software driver stand for two equal GPUs.
import { spawnSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { cards, pciOf } from '../../../kernels/device/adapters/cards.ts'
import {
  chosenIn,
  environmentFor,
  type ListedAdapter,
  listAdapters,
  placed,
  withCards,
} from '../../../kernels/device/adapters/list.ts'
import { driverFiles, hasSelectLayer } from '../../../kernels/device/adapters/search-paths.ts'

t.setTimeout(300_000)

const device = new URL(
  `../../../kernels/device/device${extname(fileURLToPath(import.meta.url))}`,
  import.meta.url,
)

/** Opens the adapter that FLOW_ADAPTER names in a process, and adds up there; the libraries of drivers that it has loaded. */
function librariesOf(environment: NodeJS.ProcessEnv): string[] {
  const code = `
    const { openDevice } = await import(${JSON.stringify(device.href)})
    const { readFileSync } = await import('node:fs')
    const device = await openDevice()
    const one = device.tensor('one', [4], 'f32', new Float32Array([1, 2, 3, 4]))
    const [sum] = [(await device.read(one)).reduce((a, b) => a + b)]
    const maps = readFileSync('/proc/self/maps', 'utf8')
    console.log(JSON.stringify([sum, ...new Set(maps.match(/\\S*(vulkan_lvp|swiftshader)\\S*\\.so/g))]))
    process.exit(0)`
  const words = [...process.execArgv, '--input-type=module', '-e', code]
  const { stdout, stderr } = spawnSync(process.execPath, words, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  })
  const line = stdout.split('\n').find(one => one.startsWith('['))
  if (line === undefined) throw new Error(stderr)
  const [sum, ...libraries] = JSON.parse(line)
  if (sum !== 10) throw new Error(`the sum is ${sum}`)
  return libraries
}

/** A second file of the software driver, with a library of its own: Vulkan has two adapters that are equal. */
function twoEqual(t: Test): { environment: NodeJS.ProcessEnv; copy: string } {
  const [library = ''] = librariesOf({})
  const copy = join(t.testdir(), `another-${basename(library)}`)
  copyFileSync(library, copy)
  const file = join(t.testdirName, 'another_icd.json')
  const driver = { file_format_version: '1.0.0', ICD: { library_path: copy, api_version: '1.3.0' } }
  writeFileSync(file, JSON.stringify(driver))
  return { environment: { VK_ADD_DRIVER_FILES: file }, copy }
}

t.test('each of two equal adapters is opened by its number, and the other one is not loaded', async t => {
  const { environment, copy } = twoEqual(t)
  const { adapters } = listAdapters({ ...process.env, ...environment })
  const equal = adapters.filter(({ name }) => name === adapters.at(-1)?.name)
  t.equal(equal.length, 2, 'two are listed')
  const opened = equal.map(({ index }) => librariesOf({ ...environment, FLOW_ADAPTER: String(index) }))
  t.same(
    opened.map(libraries => libraries.length),
    [1, 1],
  )
  t.same(opened.flat().filter(path => path === copy).length, 1, 'one of them is the copy')
})

t.test('a number that no adapter has is refused with those that there are', async t => {
  const list = listAdapters()
  t.throws(() => placed('77', list), { code: 'no-adapter', message: /"77"; there are: 0 / })
  t.throws(() => placed('00ff:01:00.0', list), { code: 'no-adapter' })
  t.equal(chosenIn(list, undefined).adapter.index, list.usual?.index)
})

/** An adapter, of which `changes` are known. */
const adapter = (changes: Partial<ListedAdapter>) =>
  ({
    name: 'NVIDIA H200',
    vendor: 'nvidia',
    software: false,
    driverFile: '/nvidia.json',
    equals: 1,
    ...changes,
  }) as ListedAdapter // only these are read

const card = (pci: string) => ({ vendor: 'nvidia', name: 'NVIDIA H200', pci, memoryBytes: 150e9 })

t.test('equal adapters have the PCI ids of the cards of their name, in order', async t => {
  const two = [adapter({}), adapter({})]
  const listed = withCards(two, [card('0000:1b:00.0'), card('0000:2c:00.0')], '/nvidia.json')
  t.same(
    listed.map(({ pci, equals }) => [pci, equals]),
    [
      ['0000:1b:00.0', 2],
      ['0000:2c:00.0', 2],
    ],
  )
  const [one] = withCards(two, [card('0000:1b:00.0')], '/nvidia.json')
  t.equal(one?.pci, undefined, 'not when Vulkan shows another number of them than the machine')
})

t.test("equal adapters of one driver are chosen by Mesa's layer, and refused without it", async t => {
  const layer = { 'VkLayer_MESA_device_select.json': '{}' }
  const folder = t.testdir({ vulkan: { 'implicit_layer.d': layer } })
  const one = adapter({ equals: 2, pci: '0000:1b:00.0' })
  const nothing = { XDG_DATA_DIRS: join(folder, 'none') }
  t.match(environmentFor(one, { XDG_DATA_DIRS: folder }), {
    VK_DRIVER_FILES: '/nvidia.json',
    DRI_PRIME: 'pci-0000_1b_00_0!',
  })
  t.throws(() => environmentFor(one, nothing), { code: 'equal-adapters', message: /mesa-vulkan-drivers/ })
  t.throws(() => environmentFor(adapter({ equals: 2 }), { XDG_DATA_DIRS: folder }), {
    message: /no PCI id tells them apart/,
  })
  t.same(
    environmentFor(adapter({}), nothing),
    { VK_DRIVER_FILES: '/nvidia.json' },
    'one alone needs no layer',
  )
})

t.test('drivers are looked for where the loader of Vulkan looks', async t => {
  const folder = t.testdir({ vulkan: { 'icd.d': { 'b.json': '', 'a.json': '', 'c.txt': '' } } })
  const at = (name: string) => join(folder, 'vulkan/icd.d', name)
  const searched = { XDG_CONFIG_DIRS: folder, XDG_DATA_DIRS: join(folder, 'none') }
  t.same(driverFiles(searched).slice(0, 2), [at('a.json'), at('b.json')])
  t.same(driverFiles({ ...searched, VK_DRIVER_FILES: at('b.json') }), [at('b.json')])
  t.notOk(hasSelectLayer(searched))
})

t.test('cards of the bus have their vendor, PCI id and memory', async t => {
  const bus = t.testdir({
    '0000:03:00.0': { vendor: '0x1002\n', class: '0x030000\n', mem_info_vram_total: '1000\n' },
    '0000:04:00.0': { vendor: '0x1002\n', class: '0x040300\n' },
  })
  const known = cards({ PATH: join(bus, 'none') }, bus)
  t.same(known, [{ vendor: 'amd', pci: '0000:03:00.0', memoryBytes: 1000 }])
  t.equal(pciOf('00000000:1B:00.0'), '0000:1b:00.0', 'as nvidia-smi writes it')
  t.equal(pciOf('1b:00.0'), '0000:1b:00.0')
  t.equal(pciOf('H200'), undefined)
})
