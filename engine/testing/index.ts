// What authors of plugins test with: any test runner will do.
export { loadGraph } from '../graph/check.ts'
export { startRun } from '../run/run.ts'
export { type ConformanceOptions, faultsOf } from './conformance.ts'
