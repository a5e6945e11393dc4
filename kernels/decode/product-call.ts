import { type Kernel, kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { scaleBindings, scaleParams } from './product-ends.ts'
import type { Bindings, KnownSizes, TargetProduct } from './product-tile.ts'

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
  /** In place of the product's own weights, rows and ends. */
  buffers?: Bindings
}

/** The kernel of a product's WGSL, and its call. */
export function productCall(of: TargetProduct, text: ProductText): Recorded {
  const { target, rows, tiled, x } = of
  const { known } = text
  const scale = scaleParams(of)
  const bindings: Bindings = text.buffers ?? {
    x: { element: 'vec4u', access: 'read', tensor: x },
    ...scaleBindings(of),
    weight_tiles: { element: 'vec4u', access: 'read', tensor: tiled },
    ...of.buffers,
  }
  const each = <T>(of: (binding: Bindings[string]) => T) =>
    Object.fromEntries(Object.entries(bindings).map(([key, binding]) => [key, of(binding)]))
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
        ...scale.types,
        ...known.types,
        ...of.types,
      },
      buffers: each(({ element, access }) => ({ element, access })),
      code: text.code,
    }),
    params: {
      rows,
      row_blocks: text.rowBlocks,
      column_groups: text.columnGroups,
      ...scale.params,
      ...known.params,
      ...of.params,
    },
    buffers: each(({ tensor }) => tensor),
    grid: text.grid,
  }
}
