import { processes } from '../../engine/platform/processes.ts'

export const concurrencyField = {
  type: 'integer',
  minimum: 0,
  default: 0,
  description:
    'Clips decoded at the same time; the pixels do not depend on it. 0: one for every two CPU cores.',
} as const

/** The number that the field above says; each ffmpeg decodes with several threads. */
export const clipsAtOnce = (concurrency: number): number =>
  concurrency || Math.max(1, Math.floor(processes.cores / 2))
