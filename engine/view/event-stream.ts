import { existsSync, readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { askTap, stopTap } from '../run/record/tap.ts'
import { refuseUnlessFile } from '../shared/files.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import type { Message } from './messages.ts'
import { RunReader } from './run-reader.ts'
import type { ViewOptions } from './view-options.ts'

const lookMs = 1000

/** Sends what is new in the folders of runs as server-sent events, until the page leaves. */
export function streamRuns(response: ServerResponse, names: readonly string[], options: ViewOptions): void {
  const readers = names.map(name => new RunReader(options.runs().get(name) ?? '', name))
  const send = eventsTo(response)
  let listed = ''
  const hello = () => {
    const runs = [...options.runs().keys()].map(id => ({ id, shown: names.includes(id) }))
    const message: Message = {
      type: 'hello',
      control: options.control,
      graph: options.editor?.file ?? null,
      runs,
    }
    if (JSON.stringify(message) !== listed) send(message)
    listed = JSON.stringify(message)
  }
  every(response, () => {
    hello()
    for (const reader of readers) for (const message of reader.look()) send(message)
  })
}

/** Sends the items that arrive at an input, `node.port`; when the page leaves the run forgets the tap. */
export function streamTap(response: ServerResponse, directory: string, end: string): void {
  const send = eventsTo(response)
  if (!inputsOf(directory).includes(end)) {
    send({ error: 'no such input' })
    response.end()
    return
  }
  let shown = 0
  every(response, () => {
    const file = askTap(directory, end)
    refuseUnlessFile(file)
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
    for (const line of lines.slice(shown)) send(JSON.parse(line))
    shown = lines.length
  })
  response.on('close', () => stopTap(directory, end))
}

/** A tap is a file in the run's folder: only the inputs that the run names get one. */
function inputsOf(directory: string): unknown[] {
  const { edges } = readJsonObject(`${directory}/status.json`)
  return Array.isArray(edges) ? edges.map(edge => (isObject(edge) ? edge.end : undefined)) : []
}

function eventsTo(response: ServerResponse): (data: unknown) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  return data => {
    response.write(`data: ${JSON.stringify(data)}\n\n`)
  }
}

/** Looks every second. A page that does not read what it was sent is sent no more, so nothing piles up. */
function every(response: ServerResponse, look: () => void): void {
  const turn = () => {
    if (response.writableNeedDrain) return
    try {
      look()
    } catch (error) {
      clearInterval(timer)
      response.destroy(error instanceof Error ? error : undefined)
    }
  }
  const timer = setInterval(turn, lookMs)
  response.on('close', () => clearInterval(timer))
  turn()
}
