import { mount } from '@flow-graphs/flow/browser'
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Answer, Asker } from './asker.ts'
import { type Chosen, ClipPart } from './clip-part.tsx'
import { embedded, ModelPart, type PickedModel } from './model-part.tsx'

/** The parts of an answer that the model marks; before their ends have come, what there is of them. */
export function partsOf(text: string): { thought: string; answer: string | undefined } {
  const [before = '', after] = text.split('<answer>')
  const thought = before.replaceAll(/<\/?think>/g, '').trim()
  return { thought, answer: after?.replace('</answer>', '').trim() }
}

interface Told {
  text: string
  seconds: number
  answer?: Answer
}

export function AskPage({ missing }: { missing: string | undefined }) {
  const asker = useRef<{ model: PickedModel; asker: Asker } | undefined>(undefined)
  const [model, setModel] = useState<PickedModel>(embedded)
  const [clip, setClip] = useState<Chosen>()
  const [question, setQuestion] = useState('')
  const [state, setState] = useState<string>()
  const [told, setTold] = useState<Told>()
  const [fault, setFault] = useState(missing)

  const choose = (chosen: Chosen) => {
    setClip(chosen)
    setTold(undefined)
    setFault(missing)
    if (chosen.question) setQuestion(chosen.question)
  }
  const ask = async () => {
    if (!clip) return
    setFault(undefined)
    setTold(undefined)
    try {
      if (asker.current?.model !== model) {
        await asker.current?.asker.close()
        asker.current = undefined
        const folder = await model.open(setState)
        setState('The model is being loaded onto the GPU…')
        asker.current = { model, asker: await Asker.open({ folder, frames: model.frames }) }
      }
      const path = `/clips/${clip.name}`
      await mount(path, clip.file)
      setState('The model looks at the clip…')
      let text = ''
      let began = 0
      const answer = await asker.current.asker.ask({ clip: path, text: question }, piece => {
        began ||= performance.now()
        setState('The model writes…')
        text += piece
        setTold({ text, seconds: (performance.now() - began) / 1000 })
      })
      setTold({ text: answer.text, seconds: (performance.now() - began) / 1000, answer })
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
      if (asker.current?.asker.over) asker.current = undefined
    } finally {
      setState(undefined)
    }
  }
  const busy = state !== undefined
  return (
    <>
      <h1>Ask a model about a clip</h1>
      <p class="soft">
        The model runs in this tab, on this machine's GPU. The clip and the question stay here.{' '}
        <a href="./">More pages</a>
      </p>
      {fault && (
        <p class="problem" role="alert">
          {fault}
        </p>
      )}
      <div class="split ask">
        <form
          onSubmit={event => {
            event.preventDefault()
            void ask()
          }}
        >
          <ClipPart chosen={clip} onChoose={choose} disabled={busy} />
          <h2>
            <label for="question">2. Question</label>
          </h2>
          <textarea
            id="question"
            rows={6}
            required
            value={question}
            onInput={event => setQuestion(event.currentTarget.value)}
            placeholder={'What happens in the clip?\nOptions, if there are any: one a line, "A. …"'}
          />
          <ModelPart picked={model} onPick={setModel} disabled={busy} />
          <p class="buttons">
            <button type="submit" class="main" disabled={busy || !clip || missing !== undefined}>
              Ask
            </button>
            <span class="soft" role="status">
              {state ?? (clip ? '' : 'Choose a clip first.')}
            </span>
          </p>
        </form>
        <Reply told={told} truth={clip?.truth} asked={question === clip?.question} />
      </div>
    </>
  )
}

function Reply({
  told,
  truth,
  asked,
}: {
  told: Told | undefined
  truth: string | undefined
  asked: boolean
}) {
  const place = useRef<HTMLElement>(null)
  const isThere = told !== undefined
  const isWhole = told?.answer !== undefined
  // on a telephone the answer is below the form
  useEffect(() => {
    if (isThere || isWhole) place.current?.scrollIntoView({ block: 'nearest' })
  }, [isThere, isWhole])
  if (!told) return <section aria-label="Answer" ref={place} />
  const { thought, answer } = partsOf(told.text)
  const frames = told.answer?.frames
  return (
    <section aria-label="Answer" ref={place}>
      <h2>What the model thinks</h2>
      <p class="thought">{thought || '…'}</p>
      {answer !== undefined && (
        <>
          <h2>Its answer</h2>
          <p class="answer">{answer}</p>
        </>
      )}
      {told.answer && (
        <p class="soft">
          {truth && asked && <>The right answer is {truth}. </>}
          {told.answer.tokens} tokens in {told.seconds.toFixed(1)} s
          {told.answer.finished ? '.' : ', cut at the limit.'}
        </p>
      )}
      {frames && (
        <>
          <h2>The frames that it saw</h2>
          <img class="frames" alt="The frames that the model saw" src={URL.createObjectURL(frames)} />
        </>
      )}
    </section>
  )
}
