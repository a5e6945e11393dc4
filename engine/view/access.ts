import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** A secret for the address of a page: who does not know it gets nothing. */
export const newToken = (): string => randomBytes(16).toString('hex')

/**
 * Why a request is refused, or undefined. The token keeps out other users and programs of the machine; the host and the
 * origin keep out pages from elsewhere that a browser has open, also when their name was bound to this address.
 */
export function refusalOf(request: IncomingMessage, token: string, host: string): string | undefined {
  const { host: named = '', origin } = request.headers
  if (!isOwnName(named.replace(/:\d+$/, ''), host)) return 'the host is not one of this server'
  if (origin !== undefined && origin !== `http://${named}`) return 'the page is from elsewhere'
  if (request.method !== 'GET' && origin === undefined) return 'the page that asks is not known'
  const [, stated = ''] = (request.url ?? '').split('/')
  return isSame(stated, token) ? undefined : 'the address lacks the token'
}

/** Whether a browser may call the server by this name. A number cannot be bound to another address, a name can. */
function isOwnName(name: string, host: string): boolean {
  const plain = name.replace(/^\[(.*)\]$/, '$1')
  if (plain === host || plain === 'localhost') return true
  return isIP(plain) > 0 && (isLoopback(plain) || isIP(host) === 0 || isWildcard(host))
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')
const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** In a time that does not tell how much of it is right. */
function isSame(stated: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(stated), digest(token))
}
