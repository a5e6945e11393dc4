// The activation functions as WGSL, each with its slope and its reference.

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

export const logistic = `
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

/** The WGSL helpers that each function calls. */
export const functions: Record<ActivationName, string> = {
  'gelu-erf': geluErf,
  'gelu-tanh': geluTanh,
  silu: logistic,
}
