import { platform } from '#platform'

/** The folder of this package, from the sources and from dist alike. */
export const { packageFolder } = platform
