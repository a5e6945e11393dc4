// Writes the lists of operators and resources in operators/README.md: node dist/engine/cli/generate/reference.js
import { readFileSync, writeFileSync } from 'node:fs'
import { operators, resources } from '../../../operators/index.ts'
import { withReference } from './reference-pages.ts'

const file = 'operators/README.md'
writeFileSync(file, withReference(readFileSync(file, 'utf8'), { operators, resources }))
