/** What a GPU could do at best. */
export interface Peaks {
  /** Float16 products summed in float32, without sparsity. */
  teraflops: number
  gigabytesPerSecond: number
}

/** From the makers' data sheets, dense numbers; by a part of the adapter's name. */
const known: readonly (readonly [string, Peaks])[] = [
  ['H200', { teraflops: 989, gigabytesPerSecond: 4800 }],
  ['H100', { teraflops: 989, gigabytesPerSecond: 3350 }],
  ['A100', { teraflops: 312, gigabytesPerSecond: 2039 }],
  ['RTX 4090', { teraflops: 165, gigabytesPerSecond: 1008 }],
  ['RTX 3090', { teraflops: 71, gigabytesPerSecond: 936 }],
]

/** None for a GPU that is not in the table: a share is then not said. */
export const peaksOf = (adapter: string): Peaks | undefined =>
  known.find(([name]) => adapter.toUpperCase().includes(name))?.[1]
