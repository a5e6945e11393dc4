import { HubError } from './hub-error.ts'

/** The address of the hub, or of the mirror that HF_ENDPOINT names, without a slash at its end. */
export function hubAddress({ HF_ENDPOINT: stated }: Readonly<Record<string, string | undefined>>): string {
  if (!stated) return 'https://huggingface.co'
  if (/^https?:\/\/[^/]/.test(stated) && URL.canParse(stated)) return stated.replace(/\/+$/, '')
  // what stands before a host may be a secret
  const shown = stated.replace(/[^/]*@/, '…@')
  throw new HubError(
    'bad-address',
    `HF_ENDPOINT: must be an address such as https://huggingface.co, found "${shown}"`,
    { remedy: 'set HF_ENDPOINT to the address of a mirror of the Hugging Face hub, or unset it' },
  )
}
