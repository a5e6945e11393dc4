import { DeviceError } from './device-error.ts'

/** Whether the text of `FLOW_CHECKS` asks for Dawn's index checks, where hardware adapters leave them out. */
export function statedChecks(text = ''): boolean {
  if (text === '' || text === '1') return text === '1'
  throw new DeviceError('bad-checks', `FLOW_CHECKS: must be 1 or not set, found "${text}"`)
}
