// Writes operators/REFERENCE.md from the code: node dist/engine/cli/generate/reference.js
import { writeFileSync } from 'node:fs'
import { registry } from '../registry.ts'
import { referencePage } from './reference-pages.ts'

writeFileSync('operators/REFERENCE.md', referencePage(registry))
