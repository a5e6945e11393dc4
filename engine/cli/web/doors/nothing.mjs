// What a tab does not have: processes and threads. Operators that need them fail with these words.
const absent = name => () => {
  throw new Error(`${name}: a browser tab has no processes, threads or contexts`)
}
export const spawn = absent('spawn')
export const spawnSync = absent('spawnSync')
export const execFile = absent('execFile')
export const execFileSync = absent('execFileSync')
export class Worker {
  constructor() {
    absent('Worker')()
  }
}
export const parentPort = null
export const workerData = null
export const isMainThread = true
/** Runs at once, without a deadline: the texts are those of this tab's own run. */
export const createContext = context => context
export class Script {
  #code
  constructor(code) {
    this.#code = code
  }
  runInContext(context) {
    return context.work?.() ?? absent(`Script(${this.#code})`)()
  }
}
export default {}
