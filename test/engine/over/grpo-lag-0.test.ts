import { tryWorkers } from './grpo.ts'

tryWorkers(0, 2)
