import { platform } from '#platform'

export const { createHash, randomUUID } = platform.digests
