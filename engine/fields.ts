// The config of operators and resources: part of the public contract in operator.ts.

/** One field of an operator's config: a JSON Schema fragment with a description. Without `default` it is required. */
export type Field = (
  | NumberField
  | { type: 'boolean'; default?: boolean }
  | StringField
  | { type: 'array'; items: ItemField; minItems?: number; default?: readonly unknown[] }
  | { type: 'object'; default?: Readonly<Record<string, unknown>> }
) & {
  description: string
  /** The field is read only when these other fields have these values: `flow check` says so when it is set in vain. */
  when?: Readonly<Record<string, string | number | boolean>>
}

interface NumberField {
  type: 'number' | 'integer'
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  default?: number
}

interface StringField {
  type: 'string'
  enum?: readonly string[]
  default?: string
  /** The string names a resource of this kind in the graph, e.g. `model`. */
  resource?: string
  /** The resource is not opened for this field when these other fields have these values. */
  idle?: Readonly<Record<string, string | number | boolean>>
  /** The string names a checkpoint folder, or a file or folder of data, that is read: a Hugging Face id may stand for it. */
  reads?: 'model' | 'data'
  /** The string is a path at which the run writes: a resumed run may find something else there. */
  writes?: true
}

type ItemField =
  | { type: 'number' | 'integer' | 'boolean' | 'object' }
  | { type: 'string'; enum?: readonly string[] }

export type Fields = Readonly<Record<string, Field>>

type ItemValue<I> = I extends { type: 'string'; enum: infer E extends readonly string[] }
  ? E[number]
  : I extends { type: 'string' }
    ? string
    : I extends { type: 'number' | 'integer' }
      ? number
      : I extends { type: 'boolean' }
        ? boolean
        : Readonly<Record<string, unknown>>

type Value<F> = F extends { type: 'array'; items: infer I } ? readonly ItemValue<I>[] : ItemValue<F>

/** The config an operator's `run` receives: every field is present, defaults filled in. */
export type Config<F extends Fields> = { readonly [K in keyof F]: Value<F[K]> }
