import type { Architecture } from './architecture.ts'
import { smolVlm } from './smolvlm.ts'
import { tinyLlava } from './tinyllava.ts'

/** The known architectures. A plugin adds one with `architectures.push(mine)`. */
export const architectures: Architecture[] = [tinyLlava, smolVlm]
