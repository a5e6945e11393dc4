// How a process shows a NATS server who it is: by variables and files, never by words of a command, which everybody on the
// machine can read.
import { readFileSync } from 'node:fs'
import { credsAuthenticator, type NodeConnectionOptions, nkeyAuthenticator } from '@nats-io/transport-node'
import { CodedError, reasonOf } from '../shared/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The variables that hold or name credentials. */
export const credentialNames = [
  'FLOW_NATS_TOKEN',
  'FLOW_NATS_USER',
  'FLOW_NATS_PASSWORD',
  'FLOW_NATS_NKEY',
  'FLOW_NATS_CREDS',
  'FLOW_NATS_CA',
] as const

/** What a connection is opened with: at most one kind of credentials, and TLS. */
export function credentialsOf(
  protocol: string,
  environment: Environment,
): Pick<NodeConnectionOptions, 'token' | 'user' | 'pass' | 'authenticator' | 'tls'> {
  const {
    FLOW_NATS_TOKEN: token,
    FLOW_NATS_USER: user,
    FLOW_NATS_PASSWORD: pass,
    FLOW_NATS_NKEY: nkey,
    FLOW_NATS_CREDS: creds,
    FLOW_NATS_CA: authority,
  } = environment
  if (Boolean(user) !== Boolean(pass)) {
    const [lacking, there] = user
      ? ['FLOW_NATS_PASSWORD', 'FLOW_NATS_USER']
      : ['FLOW_NATS_USER', 'FLOW_NATS_PASSWORD']
    throw wrong(`${lacking}: must be set beside ${there}, found nothing`, `set ${lacking}, or unset ${there}`)
  }
  const kinds = { FLOW_NATS_TOKEN: token, FLOW_NATS_USER: user, FLOW_NATS_NKEY: nkey, FLOW_NATS_CREDS: creds }
  const stated = Object.entries(kinds).flatMap(([name, value]) => (value ? [name] : []))
  const [first, ...others] = stated
  if (others.length > 0)
    throw wrong(
      `${first}: must be the only credentials, found ${others.join(' and ')} beside it`,
      'keep one of them, and unset the others',
    )
  // the file that Node reads later must be there
  if (authority) contentOf('FLOW_NATS_CA', authority)
  return {
    ...(token && { token }),
    ...(user && pass && { user, pass }),
    ...(nkey && { authenticator: nkeyAuthenticator(seedOf(contentOf('FLOW_NATS_NKEY', nkey))) }),
    ...(creds && { authenticator: credsAuthenticator(contentOf('FLOW_NATS_CREDS', creds)) }),
    ...((protocol === 'tls:' || authority) && { tls: authority ? { caFile: authority } : {} }),
  }
}

function contentOf(name: string, path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw wrong(
      `${name}: must name a file that this process may read, found ${path}: ${reasonOf(cause)}`,
      `name one, or unset ${name}`,
    )
  }
}

/** The seed of a user's nkey; the file may hold comments too. */
function seedOf(content: Uint8Array): Uint8Array {
  const [seed] = /^SU[A-Z2-7]{56}$/m.exec(Buffer.from(content).toString('utf8')) ?? []
  if (seed === undefined)
    throw wrong(
      'FLOW_NATS_NKEY: must name a file with the seed of a user, found no line in it that begins with SU',
      'name the file that nsc or nk wrote for a user',
    )
  return Buffer.from(seed)
}

const wrong = (message: string, remedy: string): CodedError =>
  new CodedError('bad-credentials', message, { remedy })
