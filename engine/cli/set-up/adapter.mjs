// Prints the name of the adapter that Dawn gives; exits 1 when there is none.
import { create } from 'webgpu'

const wanted = process.env.FLOW_ADAPTER
// a number or a PCI id chooses among the adapters that there are
const isName = wanted && !/^\d{1,2}$|^[\da-f:]+\.[0-7]$/i.test(wanted)
const gpu = create(isName ? [`adapter=${wanted}`] : [])
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
if (adapter) console.log(`adapter: ${adapter.info.description || adapter.info.device || adapter.info.vendor}`)
process.exit(adapter ? 0 : 1)
