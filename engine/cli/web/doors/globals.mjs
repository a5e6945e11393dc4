// The clock of Node, as far as the engine uses it: turns of the event loop, and timers that do not keep a process alive.
const waiting = []
const channel = new MessageChannel()
channel.port1.onmessage = () => waiting.shift()?.()
globalThis.setImmediate ??= (work, ...args) => {
  waiting.push(() => work(...args))
  channel.port2.postMessage(0)
  return 0
}
globalThis.clearImmediate ??= () => {}
for (const name of ['ref', 'unref'])
  Number.prototype[name] ??= function () {
    return this
  }
