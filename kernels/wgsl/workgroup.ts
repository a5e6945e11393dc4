import type { Target } from '../device/kernel.ts'

/** A workgroup that works on one row: its width and the WGSL it needs to sum and compare over its lanes. */
export interface WorkgroupKit {
  width: number
  enables: string
  /** Defines `group_sum(value, lane)` and `group_max(value, lane)`: every lane gets the result, which may steer control flow. Call them from uniform control flow. */
  functions: string
}

/** One subgroup without barriers on software adapters, a tree over workgroup memory on GPUs, there `gpuWidth` wide. */
export function group(target: Target, gpuWidth = 128): WorkgroupKit {
  return target.family === 'cpu' ? subgroup(target.subgroupSize) : tree(gpuWidth)
}

const subgroup = (width: number): WorkgroupKit => ({
  width,
  // A workgroup is one subgroup here, so what its operations return is uniform, which compilers cannot know.
  enables: 'enable subgroups;\ndiagnostic(off, subgroup_uniformity);',
  functions: `
fn group_sum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }
fn group_max(value: f32, lane: u32) -> f32 { return subgroupMax(value); }
`,
})

const tree = (width: number): WorkgroupKit => ({
  width,
  enables: '',
  functions: `
var<workgroup> group_values: array<f32, ${width}>;
${['sum', 'max'].map(name => treeFunction(name, width)).join('\n')}
`,
})

const treeFunction = (name: string, width: number): string => `
fn group_${name}(value: f32, lane: u32) -> f32 {
  group_values[lane] = value;
  // Adds a zero that only the params know: drivers unroll a loop of known length and then compile for seconds.
  for (var half = ${width / 2}u + (params.grid_width >> 31u); half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      let other = group_values[lane + half];
      group_values[lane] = ${name === 'sum' ? 'group_values[lane] + other' : 'max(group_values[lane], other)'};
    }
  }
  return workgroupUniformLoad(&group_values[0]);
}`
