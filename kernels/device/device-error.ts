/** `no-adapter`, `bad-family`, `bad-checks`, `bad-kernel`, `gpu-error`, `device-lost`, `too-large`, `bad-shape`, `bad-write`, `not-placed`. */
export class DeviceError extends Error {
  readonly code: string
  /** The GPU failed or a kernel is wrong, whatever was worked on. */
  readonly ofMachine: boolean

  /** The message says where in somebody's code the fault is. */
  readonly saysPlace: boolean

  constructor(code: string, message: string, { saysPlace = false } = {}) {
    super(message)
    this.code = code
    this.saysPlace = saysPlace
    this.ofMachine = machineCodes.includes(code)
  }
}

const machineCodes: readonly string[] = ['bad-kernel', 'device-lost', 'gpu-error']
