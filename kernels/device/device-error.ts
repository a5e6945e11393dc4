/** `no-adapter`, `bad-family`, `gpu-error`, `device-lost`, `too-large`, `bad-write`, `not-placed`. */
export class DeviceError extends Error {
  readonly code: string
  /** The GPU failed, whatever it worked on. */
  readonly ofMachine: boolean

  constructor(code: string, message: string) {
    super(message)
    this.code = code
    this.ofMachine = code === 'device-lost' || code === 'gpu-error'
  }
}
