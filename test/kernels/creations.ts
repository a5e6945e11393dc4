/** What is made on a GPU, by the method that makes it. */
export type Creations = Record<(typeof methods)[number], number>

const methods = [
  'createBuffer',
  'createBindGroup',
  'createBindGroupLayout',
  'createPipelineLayout',
  'createShaderModule',
  'createComputePipeline',
  'createComputePipelineAsync',
] as const

/** Counts what is made from now on. */
export function countCreations(gpu: GPUDevice): () => Creations {
  const counts = Object.fromEntries(methods.map(name => [name, 0])) as Creations // each has been named
  for (const name of methods) {
    const make: (...words: never[]) => unknown = gpu[name].bind(gpu)
    Object.defineProperty(gpu, name, {
      configurable: true,
      value: (...words: never[]) => {
        counts[name]++
        return make(...words)
      },
    })
  }
  return () => ({ ...counts })
}

/** What was made between two counts. */
export const difference = (before: Creations, after: Creations): Partial<Creations> =>
  Object.fromEntries(
    methods.flatMap(name => (after[name] > before[name] ? [[name, after[name] - before[name]]] : [])),
  )
