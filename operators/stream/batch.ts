import { bufferCount, map } from 'rxjs'
import { operator } from '../../engine/operator.ts'

/** A list takes the key of its first item. When the source ends early the last list is short. */
export default operator({
  summary: 'Collects items into lists.',
  config: {
    size: { type: 'integer', minimum: 1, default: 8, description: 'Items in one list.' },
  },
  inputs: { items: 'any' },
  outputs: { lists: { kind: 'list', shape: ['B'] } },
  dims: ({ size }) => ({ B: size }),
  collects: ({ size }) => size,
  credits: ({ size }) => size,
  run: ({ items }, { size }) => ({
    lists: items.pipe(
      bufferCount(size),
      map(list => {
        const batch = list[0].derive(
          list.map(item => item.value),
          { parents: list },
        )
        for (const item of list) item.release()
        return batch
      }),
    ),
  }),
})
