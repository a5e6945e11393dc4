// The row of a question, and what it shows when it is opened. Texts become text nodes alone, never markup.

/** An element with its attributes and children. */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** The class of a mark: `clip missing` and `wrong → right` have no spaces in it. */
export const classOf = mark => mark.replace(/[^a-z]+/g, '-')

/** A closed row; its body is made when it is opened first. */
export function rowOf(item, { names, sheets }) {
  const flags = item.answers.flatMap(answer => answer.flags).filter((flag, i, all) => all.indexOf(flag) === i)
  const lengths = item.answers.map(({ tokens }) => tokens).join(' → ')
  const facts = [`said ${item.answers.map(saidBy).join(' → ')}`, `true ${item.answer ?? 'none of them'}`]
  const summary = element(
    'summary',
    {},
    element('span', { class: `mark ${classOf(item.mark)}` }, item.mark),
    element('span', { class: 'words' }, item.words),
    element('span', { class: 'facts' }, facts.join(', ')),
    element('span', { class: 'facts more' }, [`${lengths} tokens`, ...flags].join(' · ')),
    element('span', { class: 'name' }, [item.id, ...item.tasks].join(' · ')),
  )
  const row = element('details', { class: 'item' }, summary)
  row.addEventListener('toggle', () => {
    if (row.open && row.children.length === 1) row.append(bodyOf(item, names, sheets))
  })
  return row
}

const saidBy = ({ said }) => said ?? 'nothing'

function bodyOf(item, names, sheets) {
  const body = element('div', { class: 'body' })
  const clip = element('p', { class: 'note' }, item.clip)
  const options = item.letters.map((letter, i) => optionOf(item, letter, item.options[i] ?? ''))
  body.append(element('ul', { class: 'options' }, ...options), clip)
  const answers = item.answers.map((answer, i) => {
    const title = names.length > 1 ? [element('h3', {}, names[i])] : []
    return element('div', { class: 'answer' }, ...title, ...partsOf(answer, sheets))
  })
  body.append(element('div', { class: 'answers' }, ...answers))
  return body
}

function optionOf(item, letter, text) {
  const isTaken = item.answers.some(({ chosen }) => chosen === letter)
  const notes = [letter === item.answer && 'true', isTaken && 'said'].filter(Boolean)
  const words = text.startsWith(`${letter}.`) ? text : `${letter}. ${text}`
  const note = notes.length > 0 ? [element('small', {}, notes.join(', '))] : []
  return element('li', { class: notes.join(' ') }, words, ...note)
}

function partsOf(answer, sheets) {
  const { output, message, judge, prompt, sheet, frames, tokens, finished } = answer
  const parts = []
  if (sheet) {
    const packed = sheets[sheet]
    const alt = 'The frames that the model was shown, in order'
    const source = packed ? `data:image/jpeg;base64,${packed}` : sheet
    parts.push(element('img', { src: source, alt, loading: 'lazy' }))
    if (!packed) parts.push(element('p', { class: 'note' }, `Not in this page, to keep it small: ${sheet}`))
  }
  if (frames) parts.push(element('p', { class: 'note' }, frames))
  if (message) parts.push(element('pre', {}, message))
  if (output !== null) {
    const ending = finished ? '' : ', cut at the limit'
    parts.push(element('p', { class: 'note' }, `Output, ${tokens} tokens${ending}`))
    parts.push(element('pre', {}, output || '(empty)'))
  }
  if (judge) parts.push(element('p', { class: 'note' }, 'The judge said'), element('pre', {}, judge))
  if (prompt !== null)
    parts.push(element('details', {}, element('summary', {}, 'Prompt'), element('pre', {}, prompt)))
  return parts
}
