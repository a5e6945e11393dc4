// The program of a learner that `flow run --learners` starts.
import { learn } from './learn.ts'
import { program } from './program.ts'

await program(learn)
