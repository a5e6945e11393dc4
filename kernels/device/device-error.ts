/** `no-adapter`, `bad-family`, `bad-kernel`, `gpu-error`, `device-lost`, `too-large`, `bad-write`, `not-placed`. */
export class DeviceError extends Error {
  readonly code: string
  /** The GPU failed or a kernel is wrong, whatever was worked on. */
  readonly ofMachine: boolean

  constructor(code: string, message: string) {
    super(message)
    this.code = code
    this.ofMachine = machineCodes.includes(code)
  }
}

const machineCodes: readonly string[] = ['bad-kernel', 'device-lost', 'gpu-error']
