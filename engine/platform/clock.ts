import { platform } from '#platform'

export const { clock } = platform
