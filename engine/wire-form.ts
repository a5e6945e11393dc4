// How values travel to another process: part of the public contract in operator.ts.

/** How the values of a kind travel between the processes of a run. A kind without one cannot be cut through. */
// biome-ignore lint/suspicious/noExplicitAny: a form states the value type of its kind itself.
export interface WireForm<T = any> {
  /** Set when `unpack` makes again what did not travel, with resources that the packed value names. */
  readonly rebuilds?: boolean
  /**
   * Begins what `pack` will need of a value that is still worked on. What it returns is called when this process has no use for
   * the value any more, packed or not.
   */
  begin?(value: T, context: WireContext): (() => void) | undefined
  pack(value: T, context: WireContext): Packed | Promise<Packed>
  /** Makes an equal value from what `pack` gave. */
  unpack(packed: Packed, context: WireContext): Unpacked<T> | Promise<Unpacked<T>>
}

/** A value as JSON and tensors. */
export interface Packed {
  readonly json: unknown
  readonly tensors?: Readonly<Record<string, WireTensor>>
}

/** Numbers in their format, little-endian, outermost extent first. */
export interface WireTensor {
  readonly dtype: 'f32' | 'f16' | 'i32' | 'u32' | 'u8'
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** A value that has arrived. */
export interface Unpacked<T> {
  readonly value: T
  /** Counted against the byte capacity of edges. */
  readonly bytes?: number
  /** Called once, when nothing needs the value any more. */
  readonly dispose?: () => void
}

/** What a form may use of the process that packs or unpacks. */
export interface WireContext {
  readonly signal: AbortSignal
  /**
   * A folder that the processes of a run see which work on the machine of its home part; unset elsewhere. `pack` may leave files
   * there that are too large for messages, and `dispose` removes them; what is left goes with the run.
   */
  readonly nearby?: string
  /** The opened resource of this name, as the node whose output it is would find it. */
  resource<T>(name: string): T
  /** Opened once for the whole run on first use, closed at its end: e.g. the GPU device. */
  shared<T>(key: string, open: () => Promise<T>, close: (value: T) => void | Promise<void>): Promise<T>
}

export const wireForm = <T>(form: WireForm<T>): WireForm<T> => form

/** The form of values that are plain JSON; `pack` refuses any other and says where in the value it is. */
export const jsonForm: WireForm = {
  pack: value => {
    refuseUnlessJson(value, 'value')
    return { json: value }
  },
  unpack: ({ json }) => ({ value: json }),
}

/** JSON would change these silently: functions, typed arrays, dates, numbers that are not finite. */
function refuseUnlessJson(value: unknown, path: string): void {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (Array.isArray(value)) {
    for (const [i, one] of value.entries()) refuseUnlessJson(one, `${path}.${i}`)
    return
  }
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
    for (const [name, one] of Object.entries(value)) refuseUnlessJson(one, `${path}.${name}`)
    return
  }
  const found = typeof value === 'object' ? value.constructor.name : String(value)
  throw new TypeError(`${path}: must be plain JSON to travel to another process, found ${found}`)
}
