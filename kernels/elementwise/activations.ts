import { pack, spread } from '../wgsl/packs.ts'
import type { Plan } from '../plan/plan.ts'
import { kernel } from '../plan/plan.ts'
import { pointwise } from './pointwise.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'

/** A function of one number: WGSL for its value and its slope at `x`, and the same arithmetic in plain code. */
interface Activation {
  value: string
  slope: string
  reference: (x: number) => number
}

/** The activations that networks may name; a row brings its kernel, its gradient and both tests. */
export const activations = {
  'gelu-erf': {
    value: 'x * normal(x)',
    slope: `normal(x) + x * exp(max(-0.5 * x * x, number(-87.0))) * ${Math.sqrt(0.5 / Math.PI)}`,
    reference: x => 0.5 * x * (1 + errorFunction(x * Math.SQRT1_2)),
  },
  // 0.5 · (1 + tanh(u)) = 1 / (1 + exp(-2u)), which keeps its accuracy where WGSL's tanh does not.
  'gelu-tanh': {
    value: 'x * logistic(twice_u(x))',
    slope: 'logistic(twice_u(x)) + x * logistic_slope(twice_u(x)) * twice_u_slope(x)',
    reference: x => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + cubic * x ** 3))),
  },
  silu: {
    value: 'x * logistic(x)',
    slope: 'logistic(x) + x * logistic_slope(x)',
    reference: x => x / (1 + Math.exp(-x)),
  },
} satisfies Record<string, Activation>

export type ActivationName = keyof typeof activations

/** WGSL: `activated(x)`, the function of one number or of four. */
export const activatedWgsl = (name: ActivationName, type: 'f32' | 'vec4f'): string => `
alias number = ${type};
${functions[name]}
fn activated(x: number) -> number { return ${activations[name].value}; }`

/** y = f(x), element by element. */
export function activation(plan: Plan, name: ActivationName, x: Tensor, y: Tensor): void {
  const body = `let x = inputs[i]; y[i] = ${activations[name].value};`
  pointwise(plan, { name, reads: { inputs: x }, writes: { y }, functions: functions[name], body })
}

/** dx (+)= dy · f′(x). */
export function activationBackward(
  plan: Plan,
  name: ActivationName,
  { x, dy, dx, accumulate }: { x: Tensor; dy: Tensor; dx: Tensor; accumulate: boolean },
): void {
  pointwise(plan, {
    name: `${name} backward`,
    reads: { inputs: x, dy },
    writes: { dx },
    functions: functions[name],
    body: `let x = inputs[i]; dx[i] = ${accumulate ? 'dx[i] + ' : ''}dy[i] * (${activations[name].slope});`,
  })
}

/** y = silu(gate) · up. */
export function siluMultiply(plan: Plan, gate: Tensor, up: Tensor, y: Tensor): void {
  const body = `let x = gate[i]; y[i] = ${activations.silu.value} * up[i];`
  pointwise(plan, { name: 'silu_multiply', reads: { gate, up }, writes: { y }, functions: logistic, body })
}

/** dGate = dy · up · silu′(gate), dUp = dy · silu(gate). */
export function siluMultiplyBackward(
  plan: Plan,
  { gate, up, dy, dGate, dUp }: { gate: Tensor; up: Tensor; dy: Tensor; dGate: Tensor; dUp: Tensor },
): void {
  const { value, slope } = activations.silu
  pointwise(plan, {
    name: 'silu_multiply_backward',
    reads: { gate, up, dy },
    writes: { gate_gradient: dGate, up_gradient: dUp },
    functions: logistic,
    body: `
    let x = gate[i];
    let outer = dy[i];
    gate_gradient[i] = outer * up[i] * (${slope});
    up_gradient[i] = outer * ${value};`,
  })
}

/** into += from. */
export function add(plan: Plan, from: Tensor, into: Tensor): void {
  const body = 'into[i] = into[i] + source[i];'
  pointwise(plan, { name: 'add', reads: { source: from }, writes: { into }, body })
}

/** x[r] += table[r mod period], for x (rows, columns) and table (period, columns): position embeddings. */
export function addTable(plan: Plan, { x, table }: { x: Tensor; table: Tensor }): void {
  const [size, period] = [sizeOf(x.shape), sizeOf(table.shape)]
  const { size: packed, element, declarations } = pack(size, period)
  const { width, repeat } = spread(plan.target)
  const tabled = kernel({
    name: 'add_table',
    params: { count: 'u32', period: 'u32' },
    buffers: { x: { element, access: 'write' }, table: { element, access: 'read' } },
    code: `${declarations}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.count);
  for (var i = start; i < end; i += ${width}u) { x[i] = x[i] + table[i % params.period]; }
}`,
  })
  plan.dispatch(tabled, {
    params: { count: size / packed, period: period / packed },
    buffers: { x, table },
    grid: Math.ceil(size / packed / (width * repeat)),
  })
}

/** erf(x) = 2/√π · exp(-x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)): a sum without cancellation. */
export function errorFunction(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  let [term, sum] = [x, x]
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

const cubic = 0.044715

const logistic = `
fn logistic(x: number) -> number { return 1.0 / (1.0 + exp(min(-x, number(87.0)))); }
fn logistic_slope(x: number) -> number { let s = logistic(x); return s * (1.0 - s); }
`

const geluTanh = `${logistic}
fn twice_u(x: number) -> number { return ${2 * Math.sqrt(2 / Math.PI)} * (x + ${cubic} * x * x * x); }
fn twice_u_slope(x: number) -> number { return ${2 * Math.sqrt(2 / Math.PI)} * (1.0 + ${3 * cubic} * x * x); }
`

// erf's Taylor series up to 1.25, where it still loses no digits; beyond it the tail erfc(a) = exp(-a²) · t · Σ bₖ tᵏ,
// t = 1 / (1 + p·a), Abramowitz and Stegun 7.1.26, whose error is then a fraction of 1e-7.
const taylor = Array.from(
  { length: 13 },
  (_, n) => ((2 / Math.sqrt(Math.PI)) * (-1) ** n) / factorial(n) / (2 * n + 1),
)
const tail = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429]

const horner = (coefficients: readonly number[], variable: string): string =>
  coefficients
    .slice(0, -1)
    .reduceRight((inner, c) => `fma(${variable}, ${inner}, number(${c}))`, `number(${coefficients.at(-1)})`)

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1)
}

const geluErf = `
fn erf(x: number) -> number {
  let a = abs(x);
  let z = min(x * x, number(87.0));
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let near = x * ${horner(taylor, 'z')};
  let far = sign(x) * (1.0 - exp(-z) * t * ${horner(tail, 't')});
  return select(far, near, a < number(1.25));
}
fn normal(x: number) -> number { return 0.5 + 0.5 * erf(x * ${Math.SQRT1_2}); }
`

const functions: Record<ActivationName, string> = {
  'gelu-erf': geluErf,
  'gelu-tanh': geluTanh,
  silu: logistic,
}
