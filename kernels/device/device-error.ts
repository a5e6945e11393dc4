/** `no-adapter`, `bad-family`, `gpu-error`, `device-lost`, `too-large`, `bad-write`, `not-placed`. */
export class DeviceError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
