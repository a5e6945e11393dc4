import { adapterNames } from '../../../kernels/networks/adapters.ts'
import { randomOf } from '../../random.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import type { Checkpoint } from './checkpoint.ts'

/** How an adapter's product is scaled. */
export interface AdapterSettings {
  readonly rank: number
  readonly alpha: number
  /** Divides alpha by the root of the rank, as PEFT's `use_rslora` does. */
  readonly rankStabilised: boolean
}

/** Low-rank matrices for some weights of a checkpoint, before they are on the GPU. */
export interface AdapterSource extends AdapterSettings {
  /** Names of the weights that they are added to. */
  readonly targets: readonly string[]
  /** Values of a matrix; its name is one of `adapterNames`. */
  read(name: string): AsyncIterable<Float32Array<ArrayBuffer>>
}

export interface NewAdapter {
  rank: number
  alpha: number
  /** Module names or their ends, e.g. `q_proj`. */
  targets: readonly string[]
  /** The same seed gives a layer the same matrices, whichever other layers are adapted. */
  seed: number
}

/** The factor before the product of the matrices. */
export const scaleOf = ({ rank, alpha, rankStabilised }: AdapterSettings): number =>
  alpha / (rankStabilised ? Math.sqrt(rank) : rank)

/**
 * An adapter that changes nothing yet: the first matrix uniform in ±1/√inputs, which is PEFT's Kaiming-uniform with
 * a = √5; the second zero. Throws if a target is not a linear layer of the model.
 */
export function newAdapter(checkpoint: Checkpoint, { targets, seed, ...sizes }: NewAdapter): AdapterSource {
  const allowed = adaptable(checkpoint)
  const names = targetsAmong(checkpoint, targets)
  const missing = targets.find(target => !names.some(name => isModule(name, target)))
  if (missing !== undefined || names.length === 0) {
    const kinds = [...new Set(allowed.map(name => name.split('.').at(-2)))]
    const message = `${checkpoint.folder}: an adapter must name linear layers of the connector or the language model (${kinds.join(', ')}, or whole names), got ${JSON.stringify(missing ?? targets)}`
    throw new CheckpointError({ code: 'bad-config', message })
  }
  const initial = new Map<string, () => Float32Array<ArrayBuffer>>()
  for (const target of names) {
    const [outputs = 0, inputs = 0] = checkpoint.tensors.get(target)?.shape ?? []
    const { down, up } = adapterNames(target)
    initial.set(down, () => uniform(randomOf(seed, down), sizes.rank * inputs, 1 / Math.sqrt(inputs)))
    initial.set(up, () => new Float32Array(outputs * sizes.rank))
  }
  return {
    ...sizes,
    rankStabilised: false,
    targets: names,
    async *read(name) {
      const values = initial.get(name)
      if (values) yield values()
    },
  }
}

/** Weights of the linear layers that may be adapted. */
export const adaptable = ({ tensors }: Shapes): string[] =>
  [...tensors].flatMap(([name, { shape }]) =>
    shape.length === 2 && name.endsWith('.weight') && linearPrefixes.some(prefix => name.startsWith(prefix))
      ? [name]
      : [],
  )

/** The adaptable weights that the targets name. */
export const targetsAmong = (of: Shapes, targets: readonly string[]): string[] =>
  adaptable(of).filter(name => targets.some(target => isModule(name, target)))

type Shapes = { tensors: ReadonlyMap<string, { shape: readonly number[] }> }

const linearPrefixes = ['language_model.model.layers.', 'connector._connector.']

const isModule = (name: string, target: string): boolean => `.${name}`.endsWith(`.${target}.weight`)

function uniform(random: ReturnType<typeof randomOf>, size: number, bound: number) {
  return Float32Array.from({ length: size }, () => bound * (2 * random.uniform() - 1))
}
