import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { askRun } from '../run/record/control.ts'
import { CodedError, codeOf, messageOf } from '../shared/errors.ts'
import { fileInside, isInside } from '../shared/inside.ts'
import { isObject } from '../shared/json.ts'
import { newToken, refusalOf } from './access.ts'
import { streamRuns, streamTap } from './event-stream.ts'
import { controlActions } from './messages.ts'
import { livePage } from './page-file.ts'
import type { Editor, ViewOptions } from './view-options.ts'

export interface View {
  /** With the token. */
  readonly address: string
  close(): void
}

/** Serves the page of runs; resolves once it can be opened. */
export async function openView(options: ViewOptions): Promise<View> {
  const token = newToken()
  const page = livePage()
  const server: Server = createServer((request, response) => {
    respond(request, response).catch(error => {
      if (!response.headersSent) send(response, 500, messageOf(error))
      else response.end()
    })
  })
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    const refusal = refusalOf(request, token, options.host)
    const { pathname, searchParams } = new URL(`http://view${request.url}`)
    const name = pathname.slice(token.length + 2)
    if (refusal !== undefined) send(response, 403, `403: ${refusal}`)
    else if (request.method === 'GET') answerGet(name, searchParams, response, { ...options, page })
    else if (request.method === 'POST') await answerPost(name, request, response, options)
    else send(response, 405, 'only GET and POST')
  }
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(options.port, options.host, done)
  })
  const { port } = server.address() as AddressInfo // it listens on TCP
  const shown = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    address: `http://${shown}:${port}/${token}/`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The page asks nobody but its own server, and its address, which holds the token, is told to nobody. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

function answerGet(
  name: string,
  query: URLSearchParams,
  response: ServerResponse,
  options: ViewOptions & { page: string },
): void {
  const runs = options.runs()
  const directory = runs.get(query.get('run') ?? '')
  if (name === '') send(response, 200, options.page, 'text/html; charset=utf-8')
  else if (name === 'events') {
    const asked = query.getAll('run').filter(run => runs.has(run))
    streamRuns(response, asked.length > 0 ? asked : options.shown(), options)
  } else if (directory === undefined) send(response, 404, 'no such run or page')
  else if (name === 'tap') streamTap(response, directory, query.get('end') ?? '')
  else if (name === 'picture') sendPicture(response, directory, query.get('name'))
  else send(response, 404, 'no such page')
}

async function answerPost(
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  options: ViewOptions,
): Promise<void> {
  const body: unknown = JSON.parse(await textOf(request))
  try {
    const answer =
      name === 'control' ? controlled(body, options) : await (options.editor ?? nobody).answer(name, body)
    send(response, 200, JSON.stringify(answer), 'application/json')
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    send(response, codeOf(error) === 'forbidden' ? 403 : 400, messageOf(error))
  }
}

const nobody: Editor = {
  file: '',
  answer: () => {
    throw new CodedError('forbidden', 'the view was started without a graph to edit')
  },
}

function controlled(body: unknown, { control, runs }: ViewOptions): object {
  if (!control) throw new CodedError('forbidden', 'the view was started without --control')
  const { run, action } = isObject(body) ? body : {}
  const directory = runs().get(String(run))
  const known = controlActions.find(one => one === action)
  if (directory === undefined || known === undefined) throw new CodedError('unknown', 'no such run or action')
  askRun(directory, known)
  return {}
}

/** Longer than any graph. */
const mostBody = 8 << 20

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size > mostBody) throw new Error(`the request must have at most ${mostBody} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function sendPicture(response: ServerResponse, directory: string, name: string | null): void {
  const file = isInside(name) && name.endsWith('.jpg') ? fileInside(directory, name) : undefined
  if (file === undefined) send(response, 404, 'no such picture')
  else {
    response.setHeader('cache-control', 'private, max-age=3600')
    send(response, 200, readFileSync(file), 'image/jpeg')
  }
}

function send(response: ServerResponse, status: number, body: string | Buffer, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type })
  response.end(body)
}
