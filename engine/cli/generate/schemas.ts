// Writes schemas/graph.json from the code: node dist/engine/cli/generate/schemas.js
import { writeFileSync } from 'node:fs'
import { operators, resources } from '../../../operators/index.ts'
import { publishedSchema } from '../../graph/file/editor-schema.ts'

writeFileSync('schemas/graph.json', `${JSON.stringify(publishedSchema({ operators, resources }), null, 2)}\n`)
