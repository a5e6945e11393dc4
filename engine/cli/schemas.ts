// Writes schemas/graph.json from the code: node dist/engine/cli/schemas.js
import { writeFileSync } from 'node:fs'
import { operators, resources } from '../../operators/index.ts'
import { publishedSchema } from '../graph/published.ts'

writeFileSync('schemas/graph.json', `${JSON.stringify(publishedSchema({ operators, resources }), null, 2)}\n`)
