// A program of its own, because a broken driver may end its process. Each word names the file of a driver, and '' means all
// drivers together: the program prints a line about the adapters of each word. Without words it prints the names that Dawn sees.
import { create, globals } from 'webgpu'
import { dawnFlags } from './dawn-flags.ts'
import { type Probed, probedOf, visibleAdapters } from './probed.ts'

Object.assign(globalThis, globals)
// what create() returns must stay referenced
const kept: unknown[] = []

const files = process.argv.slice(2)
if (files.length === 0) console.log(JSON.stringify((await visibleAdapters(kept)).map(({ name }) => name)))
for (const file of files) {
  if (file !== '') process.env.VK_DRIVER_FILES = file
  const visible = await visibleAdapters(kept)
  const adapters: Probed[] = []
  for (const { name, backend } of file === '' ? [] : visible) {
    const adapter = await ask([`adapter=${name}`])
    if (adapter) adapters.push(probedOf(adapter, name, backend))
  }
  const usual = file === '' ? await ask([]) : null
  if (usual) adapters.push(probedOf(usual, '', ''))
  console.log(JSON.stringify(adapters))
}
process.exit(0)

async function ask(words: readonly string[]): Promise<GPUAdapter | null> {
  const gpu = create([...dawnFlags(false), ...words])
  kept.push(gpu)
  return gpu.requestAdapter({ powerPreference: 'high-performance' })
}
