// The browser's own WebGPU, in place of Dawn's package for Node.
export const globals = {}
export const create = () => ({ requestAdapter: options => navigator.gpu?.requestAdapter(options) ?? null })
