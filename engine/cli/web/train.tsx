// Page (b): the demonstration learns in this tab, and the page of a run shows it.

import * as flow from '@flow-graphs/flow/browser'
import { render } from 'preact'
import { App } from '../../view/page/app.tsx'
import { type Source, Store } from '../../view/page/store.ts'
import { lacks } from './lacks.ts'
import { modelFiles } from './models.ts'
import { rowsOf, trainInTab } from './tab-run.ts'

const { askRun, askTap, existsSync, mount, mountFrom, readFileSync, RunReader, stopTap } = flow
const directory = '/runs/tab'
const query = new URLSearchParams(location.search)
const steps = Number(query.get('steps') ?? 40)
const group = Number(query.get('group') ?? 8)
const seed = Number(query.get('seed') ?? 1)

const pictures = new Map<string, string>()

/** The run's folder is in this tab. */
const tabSource: Source = {
  watch: () => {},
  picture: (_, name) => {
    const path = `${directory}/${name}`
    const known = pictures.get(name)
    if (known || !existsSync(path)) return known ?? ''
    const address = URL.createObjectURL(new Blob([new Uint8Array(readFileSync(path))]))
    pictures.set(name, address)
    return address
  },
  tap: (_, end, onItem) => {
    let shown = 0
    const look = () => {
      const file = askTap(directory, end)
      const lines = existsSync(file) ? String(readFileSync(file, 'utf8')).trim().split('\n') : []
      for (const line of lines.slice(shown)) if (line) onItem(JSON.parse(line))
      shown = lines.length
    }
    look()
    const timer = setInterval(look, 1000)
    return () => {
      clearInterval(timer)
      stopTap(directory, end)
    }
  },
  control: async (_, action) => askRun(directory, action),
}

async function train(say: (text: string) => void): Promise<void> {
  const missing = await lacks()
  if (missing) {
    say(missing)
    return
  }
  await mount('/data/train.jsonl', new TextEncoder().encode(rowsOf(flow)))
  await mountFrom('.', ['grpo.json'], '/flow/graphs')
  await mountFrom('model', modelFiles, '/model')
  const store = new Store()
  const reader = new RunReader(directory, 'this tab')
  store.apply({ type: 'hello', control: true, graph: null, runs: [{ id: 'this tab', shown: true }] })
  document.body.replaceChildren()
  render(<App store={store} source={tabSource} />, document.body)
  const look = () => {
    for (const message of reader.look()) store.apply(message)
  }
  const timer = setInterval(look, 1000)
  const files = { graph: '/flow/graphs/grpo.json', model: '/model', data: '/data/train.jsonl' }
  const { status, error, leaked } = await trainInTab(flow, {
    ...files,
    directory,
    steps,
    group,
    seed,
    sheets: true,
  }).done
  clearInterval(timer)
  look()
  const measured = `${directory}/metrics.jsonl`
  const metrics = existsSync(measured) ? String(readFileSync(measured, 'utf8')) : ''
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
