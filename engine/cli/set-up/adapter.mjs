// Prints the name of the adapter that Dawn gives; exits 1 when there is none.
import { create } from 'webgpu'

const wanted = process.env.FLOW_ADAPTER
const gpu = create(wanted ? [`adapter=${wanted}`] : [])
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
if (adapter) console.log(`adapter: ${adapter.info.description || adapter.info.device || adapter.info.vendor}`)
process.exit(adapter ? 0 : 1)
