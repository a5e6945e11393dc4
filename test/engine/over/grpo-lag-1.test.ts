import { tryWorkers } from './grpo.ts'

tryWorkers(1, 3)
