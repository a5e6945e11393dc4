import { platform } from '#platform'

export const { processes } = platform
