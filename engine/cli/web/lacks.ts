const newer = 'Take Chrome or Edge 124, Safari 26 or Firefox 141, or a newer one.'

/** What this browser lacks for a model to run in it, in words for the visitor; undefined when it has all. */
export async function lacks(): Promise<string | undefined> {
  if (!isSecureContext)
    return 'A browser gives its GPU only to pages that come by https or from this machine (localhost). Open this page so.'
  if (!navigator.gpu) return `This browser has no WebGPU, so no model can run in it. ${newer}`
  const adapter = await navigator.gpu.requestAdapter()
  if (adapter) return undefined
  return 'This browser has WebGPU but offers no GPU: it may be switched off (chrome://gpu says why), or the machine has none.'
}

/** What this browser lacks for clips to be decoded in it. */
export const lacksDecoder = (): string | undefined =>
  'VideoDecoder' in globalThis
    ? undefined
    : `This browser has no WebCodecs, so it cannot decode clips here. ${newer}`
