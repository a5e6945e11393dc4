/** What the log of a run says when a device is closed that still holds memory; tests of operators look for it. */
export const notFreed = 'bytes of GPU memory were not freed'
