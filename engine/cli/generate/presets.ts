// Writes the tables of presets in graphs/README.md: node dist/engine/cli/generate/presets.js
import { readFileSync, writeFileSync } from 'node:fs'
import { withPresets } from './presets-page.ts'

const file = 'graphs/README.md'
writeFileSync(file, withPresets(readFileSync(file, 'utf8'), 'graphs'))
