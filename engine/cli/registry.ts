import { forms, operators, parts, resources } from '../../operators/index.ts'
import { kindSchemas } from '../../operators/kind-schemas.ts'
import type { Registry } from '../graph/plan.ts'

/** The operators, resources, kinds, parts of models and wire forms of this program. */
export const registry: Registry = { operators, resources, kinds: kindSchemas, parts, forms }
