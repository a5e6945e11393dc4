import { create } from 'webgpu'
import { featuresOf, infoOf, isSoftware, type MatrixUnits, unitsOf } from '../adapter.ts'

/** What an adapter says of itself. */
export interface Probed {
  /** As Vulkan tells it; Dawn takes the first adapter whose name contains what it is asked for. */
  readonly name: string
  readonly backend: string
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  /** Its driver. */
  readonly description: string
  readonly software: boolean
  readonly features: readonly string[]
  readonly units: MatrixUnits
  readonly subgroup: number
  readonly limits: {
    readonly maxBufferSize: number
    readonly maxStorageBufferBindingSize: number
    readonly maxComputeWorkgroupStorageSize: number
  }
}

export function probedOf(adapter: GPUAdapter, name: string, backend: string): Probed {
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits
  return {
    name,
    backend,
    ...infoOf(adapter),
    software: isSoftware(adapter),
    features: featuresOf(adapter),
    units: unitsOf(adapter),
    subgroup: adapter.info.subgroupMinSize ?? 1,
    limits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
  }
}

/**
 * All adapters that Dawn sees under the environment of now, equal ones too: its binding lists them when it is asked for a name
 * that none has, and nowhere else.
 */
export async function visibleAdapters(kept: unknown[]): Promise<{ name: string; backend: string }[]> {
  const gpu = create(['adapter=\u0001'])
  kept.push(gpu)
  const asked: Promise<unknown> = gpu.requestAdapter({ powerPreference: 'high-performance' })
  const words = await asked.then(
    () => '',
    (error: unknown) => String(error),
  )
  return [...words.matchAll(/ \* backend: '(.*)', name: '(.*)'/g)].map(([, backend = '', name = '']) => ({
    name,
    backend,
  }))
}
