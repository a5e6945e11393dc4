import { CodedError } from '../../engine/shared/errors.ts'

/** `hub-damaged`: what arrived is not what the hub's list says, again and again. `hub-offline`: it is not in the cache. */
export class HubError extends CodedError<
  | 'bad-address'
  | 'bad-hub-id'
  | 'hub-offline'
  | 'hub-refused'
  | 'hub-unreachable'
  | 'hub-cut'
  | 'hub-damaged'
  | 'hub-missing'
> {}
