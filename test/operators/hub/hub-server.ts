// A server on this machine that speaks the part of the Hugging Face hub's API which flow uses, with the faults that it is told to have.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HubServer {
  url: string
  /** Every request: method, path, range and whether it had a token. */
  requests: { path: string; range: string | undefined; authorization: string | undefined }[]
  /** Files of `OWNER/NAME` of a type, by path. Large ones are listed as LFS files. */
  files: Record<string, Record<string, Buffer>>
  commit: string
  /** Called for each request; a true result says that it has answered. */
  fault: (request: IncomingMessage, response: ServerResponse, content?: Buffer) => boolean
  close(): Promise<void>
}

const lfsFrom = 1000

export async function hubServer(files: HubServer['files']): Promise<HubServer> {
  const hub: HubServer = {
    url: '',
    requests: [],
    files,
    commit: 'c'.repeat(40),
    fault: () => false,
    close: () =>
      new Promise(done => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
  const server = createServer((request, response) => answer(hub, request, response))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  // a server that listens on a port has an address object
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return hub
}

function answer(hub: HubServer, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '')
  const { range, authorization } = request.headers
  hub.requests.push({ path, range, authorization })
  const json = (value: unknown): void => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }
  const [, type, name, rest] = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)\/(.*)$/.exec(path) ?? []
  const repository = type && name ? hub.files[`${type}/${name}`] : undefined
  const resolved = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/[0-9a-f]{40}\/(.*)$/.exec(path)
  const content = resolved && hub.files[`${resolved[1] ?? 'models/'}${resolved[2]}`]?.[resolved[3] ?? '']
  if (hub.fault(request, response, content ?? undefined)) return
  if (repository && rest?.startsWith('revision/')) json({ ...info, id: name, modelId: name, sha: hub.commit })
  else if (repository && rest?.startsWith('tree/'))
    json(Object.entries(repository).map(([path, content]) => listed(path, content)))
  else if (content) sendRange(response, content, range)
  else {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: 'Repository not found' }))
  }
}

const info = { _id: '1', private: false, downloads: 0, likes: 0, lastModified: '2026-01-01T00:00:00Z' }

export function sendRange(response: ServerResponse, content: Buffer, range: string | undefined): void {
  const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': content.length - start })
  response.end(content.subarray(start))
}

function listed(path: string, content: Buffer): object {
  const size = content.length
  const oid = createHash('sha1').update(`blob ${size}\0`).update(content).digest('hex')
  const entry = { type: 'file', path, size, oid }
  if (size < lfsFrom) return entry
  return {
    ...entry,
    lfs: { oid: createHash('sha256').update(content).digest('hex'), size, pointerSize: 130 },
  }
}
