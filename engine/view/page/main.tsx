import { render } from 'preact'
import { App } from './app.tsx'
import { liveSource, savedSource } from './sources.ts'
import { Store } from './store.ts'

const store = new Store()
const saved = savedSource(store)
const source = saved ?? liveSource(store)
if (!saved) source.watch([])
render(<App store={store} source={source} />, document.body)
