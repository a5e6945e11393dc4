import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'

// The repetition penalty of Keskar et al. (2019): a token that the row has already written becomes less likely, once however often it
// was written: logit / penalty when positive, else logit · penalty. Prompts do not count, as in Hugging Face's processor when a
// prompt comes as embeddings. One workgroup a row, one lane a place in the history; the lane of a token's first place changes its
// logit, so that no logit is changed twice. The reference is `penaliseRepeatsReference`.

export interface PenaliseRepeats {
  /** (rows, vocabulary), changed in place */
  logits: Tensor
  /** u32 (rows, capacity): the tokens of each row so far */
  history: Tensor
  /** u32 (rows): how many tokens of the history are written */
  position: Tensor
  /** Above 1 makes tokens of the history less likely. */
  penalty: number
  rows: number
  vocabulary: number
  capacity: number
}

/** Changes the logits of every token in a row's history. Throws unless `penalty` is positive. */
export function penaliseRepeats(recording: Recording, of: PenaliseRepeats): void {
  const { logits, history, position, penalty, rows, vocabulary, capacity } = of
  if (!(penalty > 0)) throw new Error(`penaliseRepeats: penalty must be > 0, got ${penalty}`)
  recording.dispatch(penalise(recording.target), {
    params: { rows, columns: vocabulary, capacity, penalty },
    buffers: { logits, history, position },
    grid: rows,
  })
}

/** One row. */
export function penaliseRepeatsReference(
  logits: ArrayLike<number>,
  history: Iterable<number>,
  penalty: number,
): number[] {
  const written = new Set(history)
  return Array.from(logits, (logit, id) =>
    written.has(id) ? (logit < 0 ? logit * penalty : logit / penalty) : logit,
  )
}

// One workgroup a row, one lane a place in the history: the first place of a token changes its logit.
function penalise(target: Target) {
  const width = target.family === 'cpu' ? target.subgroupSize : 256
  return kernel({
    name: 'penalise_repeats',
    params: { rows: 'u32', columns: 'u32', capacity: 'u32', penalty: 'f32' },
    buffers: {
      logits: { element: 'f32', access: 'write' }, // (rows, columns)
      history: { element: 'u32', access: 'read' }, // (rows, capacity)
      position: { element: 'u32', access: 'read' }, // (rows)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.capacity;
  let count = min(position[row], params.capacity);
  for (var place = lane; place < count; place += ${width}u) {
    let token = history[start + place];
    var earlier = 0u;
    while (earlier < place && history[start + earlier] != token) { earlier++; }
    if (earlier == place) {
      let i = row * params.columns + token;
      let logit = logits[i];
      logits[i] = select(logit / params.penalty, logit * params.penalty, logit < 0.0);
    }
  }
}`,
  })
}
