import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** What a request to a chat endpoint asked. */
export interface Asked {
  authorization: string | undefined
  model: string
  system: string
  user: string
  body: Record<string, unknown>
}

export type Reply = (asked: Asked, response: ServerResponse, count: number) => unknown

/** A server on this machine that speaks a chat endpoint's protocol; returns its address and what it was asked. */
export async function chatServer(t: Test, reply: Reply): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = []
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    let text = ''
    for await (const part of request) text += part
    const body = JSON.parse(text)
    const content = (role: string) =>
      body.messages?.find((message: { role: string }) => message.role === role)?.content ?? ''
    const one = {
      authorization: request.headers.authorization,
      model: body.model,
      system: content('system'),
      user: content('user'),
      body,
    }
    asked.push(one)
    if (request.url !== '/v1/chat/completions') response.writeHead(404).end('no such page')
    else await reply(one, response, asked.length)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // it listens on TCP
  return { url: `http://127.0.0.1:${port}/v1`, asked }
}

/** Ends a response with a text, as one object. */
export const say = (response: ServerResponse, content: unknown): unknown =>
  response.end(
    JSON.stringify({
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    }),
  )

/** Ends a response with a text in pieces, as server-sent events. */
export function stream(response: ServerResponse, pieces: readonly string[], isWhole = true): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const content of pieces)
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content }, finish_reason: null }] })}\n\n`)
  if (isWhole) response.end('data: [DONE]\n\n')
  else response.destroy()
}
