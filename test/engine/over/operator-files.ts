import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'

type Pair = ReturnType<typeof nkeys.createUser>

/** A claim about a key, signed by another: what the accounts of NATS are made of. */
function signed(issuer: Pair, subject: Pair, name: string, nats: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claim = {
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name,
    nats: { version: 2, ...nats },
  }
  const jti = createHash('sha256').update(JSON.stringify(claim)).digest('hex').toUpperCase()
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ jti, ...claim })}`
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`
}

const unlimited = { subs: -1, data: -1, payload: -1 }

/** An operator with an account and a user: the text for a server's configuration, and the user's credentials file. */
export function writeOperatorFiles(folder: string): { config: string; creds: string } {
  const [operator, system, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ]
  const limits = {
    ...unlimited,
    imports: -1,
    exports: -1,
    wildcards: true,
    conn: -1,
    leaf: -1,
    mem_storage: -1,
    disk_storage: -1,
    streams: -1,
    consumer: -1,
  }
  const accounts = [
    {
      pair: system,
      jwt: signed(operator, system, 'SYS', {
        type: 'account',
        limits: { ...limits, mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 },
      }),
    },
    { pair: account, jwt: signed(operator, account, 'runs', { type: 'account', limits }) },
  ]
  const config = [
    `operator: ${signed(operator, operator, 'operator', { type: 'operator' })}`,
    `system_account: ${system.getPublicKey()}`,
    'resolver: MEMORY',
    `resolver_preload: { ${accounts.map(({ pair, jwt }) => `${pair.getPublicKey()}: ${jwt}`).join('\n')} }`,
  ]
  const creds = join(folder, 'user.creds')
  const begin = (what: string) => `-----BEGIN ${what}-----`
  const end = (what: string) => `------END ${what}------`
  const jwt = signed(account, user, 'user', { type: 'user', ...unlimited, pub: {}, sub: {} })
  const seed = Buffer.from(user.getSeed()).toString()
  writeFileSync(
    creds,
    `${begin('NATS USER JWT')}\n${jwt}\n${end('NATS USER JWT')}\n\n${begin('USER NKEY SEED')}\n${seed}\n${end('USER NKEY SEED')}\n`,
  )
  return { config: config.join('\n'), creds }
}
