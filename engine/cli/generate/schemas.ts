// Writes schemas/graph.json and schemas/kinds/ from the code: node dist/engine/cli/generate/schemas.js
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { kindSchemas } from '../../../operators/kind-schemas.ts'
import { publishedSchema } from '../../graph/file/editor-schema.ts'
import { registry } from '../registry.ts'

writeFileSync('schemas/graph.json', `${JSON.stringify(publishedSchema(registry), null, 2)}\n`)

rmSync('schemas/kinds', { recursive: true, force: true })
mkdirSync('schemas/kinds')
for (const [name, schema] of Object.entries(kindSchemas)) {
  const whole = { $schema: 'http://json-schema.org/draft-07/schema#', title: name, ...schema }
  writeFileSync(`schemas/kinds/${name}.json`, `${JSON.stringify(whole, null, 2)}\n`)
}
