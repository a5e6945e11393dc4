import { openSafetensors, readTensor } from '../../operators/model/files/safetensors.ts'

/** The tensors of an expected.safetensors; it remembers which were read, so that none goes unchecked. */
export interface Expected {
  names(prefix: string): string[]
  shape(name: string): readonly number[]
  read(name: string): Promise<Float32Array<ArrayBuffer>>
  unread(): string[]
}

export async function openExpected(path: string): Promise<Expected> {
  const file = await openSafetensors(path)
  const read = new Set<string>()
  return {
    names: prefix => [...file.tensors.keys()].filter(name => name.startsWith(prefix)),
    shape: name => file.tensors.get(name)?.shape ?? [],
    async read(name) {
      read.add(name)
      const chunks: number[] = []
      for await (const chunk of readTensor(file, name)) for (const value of chunk) chunks.push(value)
      return Float32Array.from(chunks)
    },
    unread: () => [...file.tensors.keys()].filter(name => !read.has(name)),
  }
}
