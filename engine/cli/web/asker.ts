// The questions of page (a): graphs/infer.json runs as long as the page does, and asks its model what the visitor types.
import {
  existsSync,
  mount,
  onPrint,
  operator,
  type Run,
  type RunEvent,
  readFileSync,
  runGraph,
} from '@flow-graphs/flow/browser'

/** A question about a mounted clip. */
export interface Question {
  clip: string
  text: string
}

export interface Answer {
  text: string
  tokens: number
  /** False if it was cut at the token limit. */
  finished: boolean
  /** A picture of the frames that the model saw. */
  frames: Blob | undefined
}

export interface ModelToAsk {
  /** Its mounted folder. */
  folder: string
  /** Frames of a clip that it sees. */
  frames: number
}

const graph = '/flow/graphs/infer.json'
let runs = 0

/** A model that is loaded and waits for questions. */
export class Asker {
  readonly #directory = `/runs/ask-${++runs}`
  readonly #questions: ((question: Question | undefined) => void)[] = []
  #run: Run | undefined
  #count = 0
  #over = false
  #settle: { done: (entry: Record<string, unknown>) => void; fail: (error: Error) => void } | undefined

  /** Loads a model. Throws what is wrong with it or with the browser. */
  static async open({ folder, frames }: ModelToAsk): Promise<Asker> {
    const response = await fetch('infer.json')
    if (!response.ok) throw new Error(`infer.json: ${response.status}`)
    await mount(graph, new Uint8Array(await response.arrayBuffer()))
    const asker = new Asker()
    const set = [
      `model=${folder}`,
      `frames=${frames}`,
      'video=asked on the page',
      'question=asked on the page',
      'show=true',
      'nodes.clip.onError=skip',
    ]
    asker.#run = await runGraph(graph, {
      directory: asker.#directory,
      set,
      operators: { 'read.question': asker.#source() },
      onEvent: event => asker.#hear(event),
    })
    void asker.#run.done.then(({ status, error }) => {
      asker.#over = true
      asker.#settle?.fail(new Error(error?.message ?? `the run has ended: ${status}`))
    })
    return asker
  }

  /** Asks; `onText` hears the answer as it is written. One question at a time. */
  async ask(question: Question, onText: (text: string) => void): Promise<Answer> {
    const stopListening = onPrint(onText)
    try {
      const entry = await new Promise<Record<string, unknown>>((done, fail) => {
        this.#settle = { done, fail }
        this.#give(question)
      })
      const number = this.#count
      const picture = `${this.#directory}/${number === 1 ? 'frames.jpg' : `frames-${number}.jpg`}`
      const frames = existsSync(picture)
        ? new Blob([new Uint8Array(readFileSync(picture))], { type: 'image/jpeg' })
        : undefined
      return {
        text: String(entry.answer),
        tokens: Number(entry.tokens),
        finished: entry.finished === true,
        frames,
      }
    } finally {
      stopListening()
      this.#settle = undefined
    }
  }

  /** Whether the run has ended: then it answers no more. */
  get over(): boolean {
    return this.#over
  }

  /** Frees the model. */
  async close(): Promise<void> {
    this.#run?.stop()
    this.#questions.shift()?.(undefined)
    await this.#run?.done
  }

  /** Gives what the visitor asks, when it is asked, in place of the one question of the graph. */
  #source() {
    const next = () => new Promise<Question | undefined>(done => this.#questions.push(done))
    return operator({
      summary: 'Gives the questions of the page as they are asked.',
      config: {
        video: { type: 'string', description: 'Not read: the page names the clip.' },
        question: { type: 'string', description: 'Not read: the page states the question.' },
      },
      inputs: {},
      outputs: { samples: 'sample' },
      run: (_inputs, _config, context) => ({
        samples: context.source(async function* () {
          let number = 0
          for (let asked = await next(); asked; asked = await next())
            yield {
              key: `question ${++number}`,
              value: { video: asked.clip, question: asked.text, fields: {} },
            }
        }),
      }),
    })
  }

  #give(question: Question): void {
    const waits = this.#questions.shift()
    if (waits) waits(question)
    // the model is being loaded
    else if (this.#settle) setTimeout(() => this.#give(question), 20)
  }

  #hear(event: RunEvent): void {
    if (event.type === 'record' && event.stream === 'answers') {
      this.#count++
      this.#settle?.done(event.entry)
    }
    // a clip that cannot be decoded is skipped, and the model stays
    if (event.type === 'log' && event.level === 'warn' && event.node === 'clip')
      this.#settle?.fail(new Error(event.message.replace(/^clip: skipped item "[^"]*": /, '')))
  }
}
