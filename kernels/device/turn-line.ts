// The line of a GPU over a socket: the process of a run keeps it, and those that share the GPU connect.
//
//   to the keeper: take GPU, leave        from the keeper: yours, wanted
import { randomBytes } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TurnLine } from './turns.ts'

/** Connects to the line of a GPU at a place like `PATH#GPU`. Without its keeper nobody waits. */
export function joinLine(place: string): TurnLine {
  const [path = '', gpu = ''] = place.split('#')
  const socket = connect(path)
  let [isWanted, isLost] = [false, false]
  let taken = () => {}
  socket.on('close', () => {
    isLost = true
    taken()
  })
  onWords(socket, word => {
    if (word === 'wanted') isWanted = true
    else taken()
  })
  socket.unref()
  return {
    get isWanted() {
      return isWanted
    },
    take: () =>
      new Promise(resolve => {
        isWanted = false
        taken = () => {
          socket.unref()
          resolve()
        }
        // who waits lives
        socket.ref()
        if (isLost) taken()
        else socket.write(`take ${gpu}\n`)
      }),
    leave: () => {
      if (!isLost) socket.write('leave\n')
    },
  }
}

/** The processes of a GPU: the first has its turn. */
type Waiting = Socket[]

export interface TurnKeeper {
  /** Where processes of a GPU connect. */
  place(gpu: number): string
  close(): void
}

/** Keeps the lines of the GPUs of a run. A process that ends leaves its line. */
export async function keepTurns(): Promise<TurnKeeper> {
  const path = join(tmpdir(), `flow-turns-${randomBytes(8).toString('hex')}`)
  const lines = new Map<string, Waiting>()
  const sockets = new Set<Socket>()
  const leave = (socket: Socket) => {
    for (const waiting of lines.values()) {
      const at = waiting.indexOf(socket)
      if (at >= 0) waiting.splice(at, 1)
      if (at === 0) call(waiting)
    }
  }
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      leave(socket)
    })
    onWords(socket, word => {
      if (word === 'leave') return leave(socket)
      const gpu = word.slice('take '.length)
      const waiting = lines.get(gpu) ?? []
      lines.set(gpu, waiting)
      waiting.push(socket)
      if (waiting.length === 1) call(waiting)
      else waiting[0]?.write('wanted\n')
    })
  })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(path, done)
  })
  server.unref()
  return {
    place: gpu => `${path}#${gpu}`,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Calls back with each line that arrives. An error closes a socket, which is heard of there. */
function onWords(socket: Socket, heard: (word: string) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('error', () => {})
  socket.on('data', text => {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) heard(line)
  })
}

/** Tells the first that it is its turn, and whether others wait. */
function call([first, ...others]: Waiting): void {
  first?.write(others.length > 0 ? 'yours\nwanted\n' : 'yours\n')
}
