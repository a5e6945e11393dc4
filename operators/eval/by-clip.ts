import { Observable } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import type { Question } from '../question.ts'
import type { ClipQuestions } from './clip-questions.ts'

/** Readers of benchmarks emit the questions of one clip in a row; the questions are small, the clip is what counts. */
export default operator({
  summary: 'Collects questions that follow each other and are about the same clip.',
  config: {},
  inputs: { samples: 'sample' },
  outputs: { clips: 'clip-questions' },
  drops: true,
  serial: true,
  run: ({ samples }) => ({
    clips: new Observable<Item<ClipQuestions>>(subscriber => {
      let open: Item<Question>[] = []
      const flush = () => {
        const [first] = open
        if (!first) return
        const value = { video: first.value.video, questions: open.map(item => item.value) }
        subscriber.next(first.derive(value, { key: value.video, parents: open.slice(1) }))
        for (const item of open) item.release()
        open = []
      }
      return samples.subscribe({
        next: (item: Item<Question>) => {
          if (open[0] && open[0].value.video !== item.value.video) flush()
          // a copy does not count as one of the few items that the node may hold
          open.push(item.derive(item.value))
          item.release()
        },
        error: error => subscriber.error(error),
        complete: () => {
          flush()
          subscriber.complete()
        },
      })
    }),
  }),
})
