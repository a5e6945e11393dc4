import { verbs } from '../../../../engine/cli/command.ts'
import { tryExamples } from './examples.ts'

tryExamples(Object.keys(verbs).slice(9))
