import { platform } from '#platform'

export type { Thread } from './platform.ts'
export const { threads } = platform
