import { useEffect, useState } from 'preact/hooks'
import { lacksDecoder } from './lacks.ts'

/** A clip that the visitor chose; one of the page's own has a question and its right answer. */
export interface Chosen {
  name: string
  file: Blob
  question?: string
  truth?: string
}

interface Row {
  problem: string
  solution: string
  video_filename: string
}

interface ClipOptions {
  chosen: Chosen | undefined
  onChoose: (chosen: Chosen) => void
  disabled: boolean
}

/** Takes a clip: dropped, picked, or one of the page's own. */
export function ClipPart({ chosen, onChoose, disabled }: ClipOptions) {
  const [over, setOver] = useState(false)
  const [rows, setRows] = useState<readonly Row[]>([])
  useEffect(() => {
    void fetch('clips.jsonl')
      .then(response => (response.ok ? response.text() : ''))
      .then(text => setRows(text.split('\n').flatMap(line => (line ? [JSON.parse(line)] : []))))
  }, [])
  const take = (file: File | null | undefined) => {
    if (file) onChoose({ name: file.name, file })
  }
  const takeOwn = async ({ problem, solution, video_filename: path }: Row) => {
    const file = await fetch(path).then(response => response.blob())
    const truth = solution.replaceAll(/<\/?answer>/g, '').trim()
    onChoose({ name: path.split('/').at(-1) ?? path, file, question: problem, truth })
  }
  const lacking = lacksDecoder()
  return (
    <>
      <h2>1. Clip</h2>
      {lacking && <p class="problem">{lacking}</p>}
      <label
        class={`drop${over ? ' over' : ''}`}
        onDragOver={event => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={event => {
          event.preventDefault()
          setOver(false)
          if (!disabled) take(event.dataTransfer?.files[0])
        }}
      >
        {chosen ? (
          <Preview key={chosen.name} clip={chosen} />
        ) : (
          <span>Drop a clip here (MP4, WebM, MOV, MKV), or</span>
        )}
        <input
          type="file"
          accept="video/*,.mkv"
          aria-label="Choose a clip"
          disabled={disabled}
          onChange={event => take(event.currentTarget.files?.[0])}
        />
      </label>
      {rows.length > 0 && (
        <>
          <p class="soft">or take one of these:</p>
          <div class="own">
            {rows.map(row => (
              <button
                key={row.video_filename}
                type="button"
                disabled={disabled}
                title={row.problem}
                onClick={() => void takeOwn(row)}
              >
                <video src={row.video_filename} muted loop autoplay playsInline />
              </button>
            ))}
          </div>
        </>
      )}
    </>
  )
}

function Preview({ clip }: { clip: Chosen }) {
  const [address, setAddress] = useState<string>()
  useEffect(() => {
    const made = URL.createObjectURL(clip.file)
    setAddress(made)
    return () => URL.revokeObjectURL(made)
  }, [clip.file])
  return (
    <span class="preview">
      <video src={address} muted loop autoplay controls playsInline />
      <span>{clip.name}</span>
    </span>
  )
}
