import { webGpu } from '#web-gpu'
import { DeviceError } from './device-error.ts'
import { type Family, statedFamily } from './family.ts'

/**
 * How blocks of 16 × 16 float16 are multiplied: not at all, by a GPU's matrix units, or by loops that replace these, so that
 * kernels for matrix units can be tested on a GPU without them.
 */
export type MatrixUnits = 'none' | 'native' | 'emulated'

/** Asks for an adapter by its number, PCI id or a part of its name, by default for the fastest; `trusted` as in `DeviceOptions`. */
export async function requestAdapter(wanted: string | undefined, trusted: boolean): Promise<GPUAdapter> {
  const adapter = await webGpu.adapter(wanted, trusted).catch((cause: unknown) => {
    if (cause instanceof DeviceError) throw cause
    throw new DeviceError('no-adapter', `${missing(wanted)} (${String(cause)})`)
  })
  if (!adapter) throw new DeviceError('no-adapter', missing(wanted))
  return adapter
}

/** The family by `FLOW_KERNELS`, else the one that suits the adapter. */
export function chosenFamily(adapter: GPUAdapter): Family {
  const usual = isSoftware(adapter) && adapter.features.has('subgroups') ? 'cpu' : 'gpu'
  return statedFamily(webGpu.setting('FLOW_KERNELS')) ?? usual
}

/** Workgroup memory that kernels for matrix units may use: the largest tiles of products and of attention need less. */
const unitWorkgroupBytes = 48 * 1024

/**
 * Kernels use the one shape of blocks that NVIDIA's units offer: 16 × 16 × 16, float16 in, float32 out. A GPU with less
 * workgroup memory than theirs is used without its units.
 */
export function unitsOf({ info, features, limits }: GPUAdapter): MatrixUnits {
  // Dawn's own field, which the types do not know yet.
  const { subgroupMatrixConfigs: configs = [] } = info as { subgroupMatrixConfigs?: Iterable<MatrixConfig> }
  const fits = [...configs].some(
    ({ M, N, K, componentType, resultComponentType }) =>
      M === 16 && N === 16 && K === 16 && componentType === 'f16' && resultComponentType === 'f32',
  )
  const able = features.has('shader-f16') && info.subgroupMinSize === 32
  return fits && able && limits.maxComputeWorkgroupStorageSize >= unitWorkgroupBytes ? 'native' : 'none'
}

interface MatrixConfig {
  M: number
  N: number
  K: number
  componentType: string
  resultComponentType: string
}

export const isSoftware = ({ info }: GPUAdapter): boolean =>
  /llvmpipe|swiftshader/i.test(`${info.description} ${info.device} ${info.architecture}`)

function missing(wanted: string | undefined): string {
  return wanted
    ? `no WebGPU adapter whose name contains "${wanted}" (FLOW_ADAPTER); unset it to take the fastest there is`
    : `no WebGPU adapter: ${webGpu.remedy}`
}

export interface DeviceOptions {
  /** Number in "flow adapters", PCI id or part of a name; by default `FLOW_ADAPTER`, else the fastest adapter there is. */
  adapter?: string
  /** Kernel family; by default `FLOW_KERNELS`, else what suits the adapter. */
  family?: Family
  /** Matrix units; by default the GPU's when it has them. */
  units?: MatrixUnits
  /**
   * True leaves out Dawn's check of every index in a kernel, which makes matrix products 1.5 times as fast. The kernels stay
   * inside their tensors without it; the tests show this with the checks on. By default true on hardware, unless
   * `FLOW_CHECKS` is set.
   */
  trusted?: boolean
}

/** What a device is opened with. */
export interface DeviceTraits {
  readonly family: Family
  readonly units: MatrixUnits
  /** How its adapter was chosen. */
  readonly wanted: string | undefined
}

/** A device as its loss is told. */
export function nameOf({ info }: GPUAdapter, wanted: string | undefined): string {
  const words = [wanted && `adapter ${wanted}`, info.description || info.device].filter(Boolean)
  return `the GPU device${words.length > 0 ? ` (${words.join(', ')})` : ''}`
}

export interface AdapterInfo {
  vendor: string
  architecture: string
  device: string
  description: string
}

export function infoOf({ info }: GPUAdapter): AdapterInfo {
  const { vendor, architecture, device, description } = info
  return { vendor, architecture, device, description }
}

const raised = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
] as const

/** The limits of an adapter that a device must be asked for; the others stay at their defaults. */
const limitsOf = ({ limits }: GPUAdapter): Record<string, number> =>
  Object.fromEntries(raised.map(name => [name, limits[name]]))

const matrixFeature = 'chromium-experimental-subgroup-matrix'
const optionalFeatures = ['subgroups', 'shader-f16', 'timestamp-query', matrixFeature] as GPUFeatureName[] // the types do not know Dawn's own feature yet

/** The features that kernels can use and the adapter has. */
export const featuresOf = ({ features }: GPUAdapter): GPUFeatureName[] =>
  optionalFeatures.filter(feature => features.has(feature))

/** What a device of this adapter is asked for. */
export const askedOf = (adapter: GPUAdapter): GPUDeviceDescriptor => ({
  requiredFeatures: featuresOf(adapter),
  requiredLimits: limitsOf(adapter),
})
