// Writes schemas/graph.json from the code: node dist/engine/cli/generate/schemas.js
import { writeFileSync } from 'node:fs'
import { publishedSchema } from '../../graph/file/editor-schema.ts'
import { registry } from '../registry.ts'

writeFileSync('schemas/graph.json', `${JSON.stringify(publishedSchema(registry), null, 2)}\n`)
