export const availableParallelism = () => 1
export const homedir = () => '/'
export const tmpdir = () => '/tmp'
export const hostname = () => 'tab'
export const cpus = () => []
export const totalmem = () => 0
export const constants = { signals: {} }
