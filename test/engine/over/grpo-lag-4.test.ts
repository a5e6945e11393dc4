import { tryWorkers } from './grpo.ts'

tryWorkers(4, 1)
