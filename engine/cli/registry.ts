import { forms, operators, parts, resources } from '../../operators/index.ts'
import type { Registry } from '../graph/plan.ts'

/** The operators, resources, parts of models and wire forms of this program. */
export const registry: Registry = { operators, resources, parts, forms }
