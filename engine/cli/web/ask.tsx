// Page (a): drop a clip, ask a question, watch the model think.
import { render } from 'preact'
import { AskPage } from './ask-page.tsx'
import { lacks } from './lacks.ts'

const missing = await lacks()
document.body.replaceChildren()
render(<AskPage missing={missing} />, document.body)
