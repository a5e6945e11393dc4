// The server between the parts of a run: NATS with JetStream. Only files that a verb imports when it needs them
// import this one: who never uses a server loads none of its packages.

import { setTimeout as delay } from 'node:timers/promises'
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { CodedError, messageOf } from '../shared/errors.ts'
import { credentialsOf } from './credentials.ts'

/** A connection that outlives restarts of the server: what fails meanwhile is tried again. */
export interface Server {
  readonly connection: NatsConnection
  readonly stream: JetStreamClient
  readonly manager: JetStreamManager
  /** Bytes that fit into one message. */
  readonly mostBytes: number
  /** Does work that the server may interrupt, again and again until it succeeds or a signal is aborted. */
  again<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
  close(): Promise<void>
}

/** Room for headers in a message. */
const headerBytes = 4096
/** Bytes that NATS takes by default. */
const usualBytes = 2 ** 20
const requestMs = 5000
const pauseMs = 200

/** Connects to a server, with the credentials that the environment states. */
export async function openServer(
  address: string,
  {
    signal,
    log,
    environment,
  }: {
    signal: AbortSignal
    log: (line: string) => void
    environment: Readonly<Record<string, string | undefined>>
  },
): Promise<Server> {
  const url = new URL(address)
  const credentials = credentialsOf(url.protocol, environment)
  const again = async <T>(work: () => Promise<T>, ownSignal?: AbortSignal): Promise<T> => {
    const both = ownSignal ? AbortSignal.any([signal, ownSignal]) : signal
    let told = ''
    for (;;) {
      both.throwIfAborted()
      try {
        const result = await work()
        if (told !== '') log(`${url.host}: answers again`)
        return result
      } catch (error) {
        both.throwIfAborted()
        const fault = finalFault(url.host, error)
        if (fault) throw fault
        const words = wordsOf(error)
        if (words !== told) log(`${url.host}: ${words}; trying again`)
        told = words
        await delay(pauseMs, undefined, { signal: both }).catch(() => {})
      }
    }
  }
  const options = {
    servers: url.host,
    maxReconnectAttempts: -1,
    reconnectTimeWait: pauseMs,
    ignoreClusterUpdates: true,
    ...credentials,
  }
  const connection = await again(() => connect(options))
  if (connection.info?.jetstream !== true) {
    await connection.close()
    throw refused(url.host, 'the server has no JetStream', {
      remedy: 'start it with JetStream: nats-server -js',
    })
  }
  const manager = await again(() => jetstreamManager(connection, { timeout: requestMs, checkAPI: true }))
  const stream = jetstream(connection, { timeout: requestMs })
  return {
    connection,
    stream,
    manager,
    mostBytes: (connection.info?.max_payload ?? usualBytes) - headerBytes,
    again,
    close: async () => {
      await connection.close().catch(() => {})
    },
  }
}

/** What ends the attempts; undefined for faults that trying again may end. */
function finalFault(host: string, error: unknown): CodedError | undefined {
  const words = messageOf(error)
  if (/certificate/i.test(words))
    return refused(host, `the certificate of the server is not accepted: ${words}`, {
      cause: error,
      remedy:
        'address it by the name in its certificate, and name the certificate of its authority by FLOW_NATS_CA',
    })
  if (/authorization|permission|user authentication|no credentials/i.test(words))
    return refused(host, `the server refuses: ${words}`, {
      cause: error,
      remedy:
        'set FLOW_NATS_TOKEN, or FLOW_NATS_USER and FLOW_NATS_PASSWORD, or name a file by FLOW_NATS_NKEY or FLOW_NATS_CREDS',
    })
  return undefined
}

const refused = (host: string, rule: string, about: { remedy: string; cause?: unknown }): CodedError =>
  new CodedError('server-refused', `${host}: ${rule}`, about)

/** Whether a server answers that it has no stream or consumer of a run. */
export const isOfUnknownRun = (error: unknown): boolean =>
  /jetstream is not enabled|no responders|stream not found|consumer deleted/i.test(messageOf(error))

function wordsOf(error: unknown): string {
  const words = messageOf(error)
  if (/insufficient (resources|storage)|no space/i.test(words))
    return `the disk of the server is full (${words}): items wait until it has room`
  if (isOfUnknownRun(error)) return `the server does not know the run (${words})`
  return `the server does not answer (${words})`
}
