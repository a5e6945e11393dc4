// Page (b): the demonstration learns in this tab, and the page of a run shows it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { render } from 'preact'
import { askRun } from '../../run/record/control.ts'
import { App } from '../../view/page/app.tsx'
import { type Source, Store } from '../../view/page/store.ts'
import { RunReader } from '../../view/run-reader.ts'
import { rows, trainInTab } from './tab-run.ts'

const modelFiles = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
]
const directory = '/runs/tab'
const query = new URLSearchParams(location.search)
const steps = Number(query.get('steps') ?? 40)
const group = Number(query.get('group') ?? 8)
const seed = Number(query.get('seed') ?? 1)

const bytesOf = async (name: string): Promise<Uint8Array> => {
  const response = await fetch(name)
  if (!response.ok) throw new Error(`${name}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

async function train(say: (text: string) => void): Promise<void> {
  if (!navigator.gpu) {
    say('This browser has no WebGPU: take Chrome or Edge 113, Safari 26 or Firefox 141, or a newer one.')
    return
  }
  for (const folder of ['/flow', '/model', '/data', '/runs']) mkdirSync(folder, { recursive: true })
  writeFileSync('/data/train.jsonl', rows)
  writeFileSync('/flow/grpo.json', await bytesOf('grpo.json'))
  for (const name of modelFiles) writeFileSync(`/model/${name}`, await bytesOf(`model/${name}`))
  const store = new Store()
  const reader = new RunReader(directory, 'this tab')
  store.apply({ type: 'hello', control: true, graph: null, runs: [{ id: 'this tab', shown: true }] })
  const source: Source = {
    watch: () => {},
    picture: (_, name) => {
      const path = `${directory}/${name}`
      return existsSync(path) ? URL.createObjectURL(new Blob([new Uint8Array(readFileSync(path))])) : ''
    },
    control: async (_, action) => askRun(directory, action),
  }
  document.body.replaceChildren()
  render(<App store={store} source={source} />, document.body)
  const look = () => {
    for (const message of reader.look()) store.apply(message)
  }
  const timer = setInterval(look, 1000)
  const files = { graph: '/flow/grpo.json', model: '/model', data: '/data/train.jsonl' }
  const { status, error, leaked } = await trainInTab({ ...files, directory, steps, group, seed }).done
  clearInterval(timer)
  look()
  const measured = `${directory}/metrics.jsonl`
  const metrics = existsSync(measured) ? readFileSync(measured, 'utf8') : ''
  Object.assign(globalThis, { over: { status, leaked, error: error && whole(error), metrics } })
}

/** With the error that it came from: in a tab there is no log file to look into. */
const whole = ({ stack, cause }: Error): string =>
  `${stack}${cause instanceof Error ? `\n${cause.stack}` : ''}`

const say = (text: string) => {
  document.body.textContent = text
}
train(say).catch(error => {
  say(`The training failed: ${error instanceof Error ? error.message : error}`)
  Object.assign(globalThis, { over: { status: 'failed', error: String(error?.stack ?? error) } })
})
