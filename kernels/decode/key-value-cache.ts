import { kernel, type Target } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread, vectorise } from '../wgsl/packs.ts'

// The cache of plain decoding: a slot for each token of each sequence, (sequences, capacity, width). `cacheRows` writes the new
// row of every sequence into the slot of its position, four numbers a lane where the width allows; `advance` then moves the
// positions on, on the GPU, so that one compiled step serves for every token.

export interface CacheRows {
  /** (sequences, width) */
  from: Tensor
  /** (sequences, capacity, width) */
  cache: Tensor
  /** u32 (sequences): the slot to write; nothing is written at or past the capacity. */
  position: Tensor
  sequences: number
  width: number
  capacity: number
}

/** cache[s, position[s]] = from[s]; a sequence whose position has reached the capacity writes nothing. */
export function cacheRows(
  recording: Recording,
  { from, cache, position, sequences, width, capacity }: CacheRows,
): void {
  const { width: lanes, repeat } = spread(recording.target)
  const packed = vectorise(width).size
  recording.dispatch(store(recording.target, width), {
    params: { sequences, columns: width / packed, capacity },
    buffers: { source: from, cache, position },
    grid: Math.ceil((sequences * width) / packed / (lanes * repeat)),
  })
}

/** position = min(position + 1, limit) everywhere, so that one compiled step is replayed for each token. */
export function advance(
  recording: Recording,
  { position, limit }: { position: Tensor; limit: number },
): void {
  const count = sizeOf(position.shape)
  const { width } = spread(recording.target)
  recording.dispatch(increment(width), {
    params: { count, limit },
    buffers: { position },
    grid: Math.ceil(count / width),
  })
}

function store(target: Target, size: number) {
  const { width, repeat } = spread(target)
  const { element } = vectorise(size)
  return kernel({
    name: 'cache_rows',
    params: { sequences: 'u32', columns: 'u32', capacity: 'u32' }, // columns in packs
    buffers: {
      source: { element, access: 'read' }, // (sequences, columns)
      cache: { element, access: 'write' }, // (sequences, capacity, columns)
      position: { element: 'u32', access: 'read' }, // (sequences)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.sequences * params.columns);
  for (var i = start; i < end; i += ${width}u) {
    let sequence = i / params.columns;
    let slot = position[sequence];
    if (slot < params.capacity) {
      cache[(sequence * params.capacity + slot) * params.columns + i % params.columns] = source[i];
    }
  }
}`,
  })
}

function increment(width: number) {
  return kernel({
    name: 'advance',
    params: { count: 'u32', limit: 'u32' },
    buffers: { position: { element: 'u32', access: 'write' } }, // (count)
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(id) * ${width}u + lane;
  if (i < params.count) { position[i] = min(position[i] + 1u, params.limit); }
}`,
  })
}
