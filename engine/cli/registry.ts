import { operators, resources } from '../../operators/index.ts'
import type { Registry } from '../graph/plan.ts'

/** The operators and resources of this program. */
export const registry: Registry = { operators, resources }
