import { type Kernel, kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Bindings, KnownSizes, On, StepSums } from './product-tile.ts'

/** A product's kernel, its call and its grid. */
export interface Recorded {
  kernel: Kernel
  params: Record<string, number>
  buffers: Record<string, Tensor>
  grid: number
}

export interface ProductText {
  name: string
  enables: string
  code: string
  known: KnownSizes<string>
  /** Blocks of all rows, and groups of columns that a workgroup makes. */
  rowBlocks: number
  columnGroups: number
  grid: number
  /** What the ends need. */
  ends?: CallOfEnds | undefined
  buffers: Bindings
}

export interface CallOfEnds {
  params: Readonly<Record<string, number>>
  types: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>
  buffers: Bindings
}

/** The kernel of a product's WGSL, and its call. */
export function productCall({ target, rows, types, params }: On<StepSums>, text: ProductText): Recorded {
  const { known, ends } = text
  const bindings = Object.entries({ ...text.buffers, ...ends?.buffers })
  const each = <T>(of: (binding: Bindings[string]) => T) =>
    Object.fromEntries(bindings.map(([key, binding]) => [key, of(binding)]))
  return {
    kernel: kernel({
      name: text.name,
      // Subgroups may have different numbers of steps, each the same for all of its lanes.
      enables:
        target.units === 'native'
          ? `${text.enables}\ndiagnostic(off, chromium.subgroup_matrix_uniformity);`
          : 'enable f16;',
      params: {
        rows: 'u32',
        row_blocks: 'u32',
        column_groups: 'u32',
        ...known.types,
        ...types,
        ...ends?.types,
      },
      buffers: each(({ element, access }) => ({ element, access })),
      code: text.code,
    }),
    params: {
      rows,
      row_blocks: text.rowBlocks,
      column_groups: text.columnGroups,
      ...known.params,
      ...params,
      ...ends?.params,
    },
    buffers: each(({ tensor }) => tensor),
    grid: text.grid,
  }
}

/** The bindings of the factors. */
export const factorBindings = ({ x, tiled }: StepSums): Bindings => {
  return {
    x: { element: 'vec4u', access: 'read', tensor: x },
    weight_tiles: { element: 'vec4u', access: 'read', tensor: tiled },
  }
}
