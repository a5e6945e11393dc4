import * as anywhere from './anywhere.ts'
import { architectures } from './model/architectures/index.ts'
import { connectors, languages, towers } from './model/parts/index.ts'
import * as nodeOnly from './node-only.ts'

/** What a checkpoint's configuration may name, by title. */
export const parts = { towers, connectors, languages, architectures }

/** The operators by their names in graphs. */
export const operators = { ...anywhere.operators, ...nodeOnly.operators }

/** The resource types by their names in graphs. */
export const resources = { ...anywhere.resources, ...nodeOnly.resources }

export { forms } from './wire/index.ts'
