import type { Finding } from '../engine/operator.ts'

/** What is wrong with the address in the field `url`; nothing is sent to it. */
export function addressFault(url: string): Finding[] {
  if (URL.canParse(url) && /^https?:/.test(url)) return []
  const rule = 'must be an address with http:// or https://'
  return [
    { field: 'url', rule, lines: [], code: 'bad-address', remedy: 'write e.g. http://localhost:8000/score' },
  ]
}
