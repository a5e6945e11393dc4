import { operators, parts, resources } from '../../operators/index.ts'
import type { Registry } from '../graph/plan.ts'

/** The operators, resources and parts of this program. */
export const registry: Registry = { operators, resources, parts }
