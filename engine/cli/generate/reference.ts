// Writes operators/REFERENCE.md from the code: node dist/engine/cli/generate/reference.js
import { writeFileSync } from 'node:fs'
import { operators, resources } from '../../../operators/index.ts'
import { referencePage } from './reference-pages.ts'

writeFileSync('operators/REFERENCE.md', referencePage({ operators, resources }))
