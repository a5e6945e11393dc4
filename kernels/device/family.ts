import { DeviceError } from './device-error.ts'

/** The kernels' two families: `gpu` uses tiles and barriers, `cpu` one-subgroup workgroups with broadcasts. */
export type Family = 'cpu' | 'gpu'

/** The family that the text of `FLOW_KERNELS` names; undefined where it is not set. */
export function statedFamily(text: string | undefined): Family | undefined {
  if (!text) return undefined
  if (text === 'cpu' || text === 'gpu') return text
  throw new DeviceError('bad-family', `FLOW_KERNELS: must be cpu or gpu, found "${text}"`)
}
