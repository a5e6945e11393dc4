import { connect, createServer, type Socket } from 'node:net'

/** A TCP port in front of a server, which can be cut. */
export interface Cable {
  readonly port: number
  /** Ends all connections, or keeps them and passes no byte on, and refuses new ones; until `mend`. */
  cut(kind: 'closed' | 'silent'): void
  mend(): void
  close(): void
}

/** A cable to a port of this machine. */
export async function openCable(to: number): Promise<Cable> {
  const sockets = new Set<Socket>()
  let state: 'whole' | 'closed' | 'silent' = 'whole'
  const server = createServer({ pauseOnConnect: true }, near => {
    if (state === 'closed') {
      near.destroy()
      return
    }
    const far = connect(to, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
    if (state === 'silent') for (const one of [near, far]) one.pause()
    else near.resume()
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  return {
    port: address && typeof address === 'object' ? address.port : 0,
    cut: kind => {
      state = kind
      for (const one of sockets) {
        if (kind === 'closed') one.destroy()
        else one.pause()
      }
    },
    mend: () => {
      state = 'whole'
      for (const one of sockets) one.resume()
    },
    close: () => {
      for (const one of sockets) one.destroy()
      server.close()
    },
  }
}
