import type { Completion, Group } from '../../operators/kinds.ts'

/** A group of completions without anything on a GPU; the solution is C. */
export function groupOf(completions: readonly Partial<Completion>[], solution: string | null = 'C'): Group {
  const sample = {
    video: 'a.mp4',
    question: 'Which?',
    fields: {},
    ...(solution === null ? {} : { solution }),
  }
  const features = { label: 'features', shape: [1, 1, 1], type: 'f32' } as const
  return {
    prompt: { sample, text: '', ids: [], features },
    completions: completions.map(completion => ({ ids: [], text: '', finished: true, ...completion })),
    policyVersion: 0,
    generateSeconds: 0,
  }
}
