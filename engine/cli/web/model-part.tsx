import { useState } from 'preact/hooks'
import { chosenModel, embeddedModel, hubModel, type Say } from './models.ts'

/** A model that the visitor chose; opening it gives its mounted folder. */
export interface PickedModel {
  kind: 'embedded' | 'folder' | 'hub'
  /** What the visitor sees of it. */
  name: string
  frames: number
  open: (say: Say) => Promise<string>
}

/** The demonstration was trained with 8 frames; 16 are the published number. */
export const embedded: PickedModel = {
  kind: 'embedded',
  name: 'the small model of the demonstration',
  frames: 8,
  open: embeddedModel,
}

/** Another hub, e.g. a mirror: `?hub=https://…`. */
const hubUrl = new URLSearchParams(location.search).get('hub') ?? 'https://huggingface.co'

interface ModelOptions {
  picked: PickedModel
  onPick: (model: PickedModel) => void
  disabled: boolean
}

/** Takes a model: the page's own, a folder of the visitor, or one of the Hugging Face hub. */
export function ModelPart({ picked, onPick, disabled }: ModelOptions) {
  const [id, setId] = useState('')
  const frames = 16
  return (
    <fieldset disabled={disabled}>
      <legend>3. Model: {picked.name}</legend>
      <p class="buttons">
        <button type="button" aria-pressed={picked.kind === 'embedded'} onClick={() => onPick(embedded)}>
          Small model of the demonstration (3 MB)
        </button>
      </p>
      <p>
        <label>
          A checkpoint folder on this machine{' '}
          <input
            type="file"
            multiple
            {...{ webkitdirectory: true }}
            onChange={event => {
              const files = [...(event.currentTarget.files ?? [])]
              const [first] = files
              if (!first) return
              const name = `the folder ${first.webkitRelativePath.split('/')[0]}`
              onPick({ kind: 'folder', name, frames, open: () => chosenModel(files) })
            }}
          />
        </label>
      </p>
      <p class="buttons">
        <label for="hub">A model of the Hugging Face hub</label>
        <input
          id="hub"
          value={id}
          placeholder="OWNER/NAME"
          onInput={event => setId(event.currentTarget.value)}
        />
        <button
          type="button"
          disabled={id.trim() === ''}
          onClick={() => onPick({ kind: 'hub', name: id, frames, open: say => hubModel(id, hubUrl, say) })}
        >
          Take it
        </button>
      </p>
      {picked.kind === 'embedded' && (
        <p class="soft">
          It has learned to say where a shape moves and its colour, and hardly which letter stands for that:
          of four letters it finds about one. <a href="train.html">Training</a> teaches it the letter.
        </p>
      )}
      <p class="soft">
        A model of the hub is downloaded once and kept in this browser. Models that flow knows:
        TinyLLaVA-Video with Qwen2, SmolVLM2, and InternVL3.
      </p>
    </fieldset>
  )
}
