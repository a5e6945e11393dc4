import type { Target } from '../device/kernel.ts'

/** How many numbers one lane reads and writes at once. */
export interface Pack {
  size: 1 | 4
  element: 'f32' | 'vec4f'
  /** WGSL: the type `number` of a pack, and `total(number)`, the sum over it. */
  declarations: string
}

/** Four at once when every extent is a multiple of four, which costs 40 % less a number on software adapters, else one. */
export const vectorise = (...extents: readonly number[]): Pack =>
  extents.every(extent => extent % 4 === 0) ? four : one

const one: Pack = {
  size: 1,
  element: 'f32',
  declarations: `
alias number = f32;
fn total(value: number) -> f32 { return value; }
`,
}

const four: Pack = {
  size: 4,
  element: 'vec4f',
  declarations: `
alias number = vec4f;
fn total(value: number) -> f32 { return dot(value, vec4f(1.0)); }
`,
}

/** Lanes of a workgroup that needs neither barriers nor neighbours, and how many packs each lane should treat. */
export const spread = ({ family, subgroupSize }: Target): { width: number; repeat: number } =>
  family === 'cpu' ? { width: subgroupSize, repeat: 16 } : { width: 256, repeat: 1 }
