// What the page shows, and in which order. The address' fragment holds it, so that a link gives the same view.

/** A state in which nothing is filtered. Every field is a text but `marks` and `groups`. */
export const emptyState = () => ({
  marks: [],
  task: '',
  groups: {},
  flag: '',
  text: '',
  least: '',
  most: '',
  answer: '',
  chosen: '',
  sort: '',
  down: '',
  open: '',
})

const texts = ['task', 'flag', 'text', 'least', 'most', 'answer', 'chosen', 'sort', 'down', 'open']

/** Reads a fragment, such as `#marks=wrong,cut&task=order&group.duration=short`. */
export function readState(fragment) {
  const state = emptyState()
  for (const [name, value] of new URLSearchParams(fragment.replace(/^#/, ''))) {
    if (name === 'marks') state.marks = value.split(',').filter(Boolean)
    else if (name.startsWith('group.')) state.groups[name.slice('group.'.length)] = value
    else if (texts.includes(name)) state[name] = value
  }
  return state
}

/** The fragment of a state, without `#`; empty where nothing is filtered. */
export function writeState(state) {
  const fields = new URLSearchParams()
  if (state.marks.length > 0) fields.set('marks', state.marks.join(','))
  for (const [name, value] of Object.entries(state.groups)) if (value) fields.set(`group.${name}`, value)
  for (const name of texts) if (state[name]) fields.set(name, state[name])
  return String(fields)
}

/** The items that a state shows, in its order. */
export function select(items, state) {
  const words = state.text.toLowerCase()
  const found = items.filter(item => isShown(item, state, words))
  const key = keys[state.sort]
  if (key) {
    const sign = state.down ? -1 : 1
    found.sort((one, other) => sign * compare(key(one), key(other)))
  } else if (state.down) found.reverse()
  return found
}

function isShown(item, state, words) {
  const { marks, task, groups, flag, least, most, answer, chosen } = state
  const { answers } = item
  return (
    (marks.length === 0 || marks.includes(item.mark)) &&
    (!task || item.tasks.includes(task)) &&
    Object.entries(groups).every(([name, value]) => !value || item.groups[name] === value) &&
    (!flag || answers.some(({ flags }) => flags.includes(flag))) &&
    (!least || answers.some(({ tokens }) => tokens >= Number(least))) &&
    (!most || answers.some(({ tokens }) => tokens <= Number(most))) &&
    (!answer || (item.answer ?? 'none') === answer) &&
    (!chosen || answers.some(one => (one.chosen ?? 'none') === chosen)) &&
    (!words || textOf(item).includes(words))
  )
}

const keys = {
  length: item => Math.max(...item.answers.map(({ tokens }) => tokens)),
  id: item => item.id,
  task: item => item.tasks.join(', '),
  outcome: item => item.mark,
  words: item => item.words,
}

const compare = (one, other) =>
  typeof one === 'number' ? one - other : one.localeCompare(other, 'en', { numeric: true })

const searched = new WeakMap()

/** All words of an item, in lower case. The prompt is not searched: its instruction is the same in every question. */
function textOf(item) {
  let text = searched.get(item)
  if (text === undefined) {
    const said = item.answers.map(({ output, message }) => `${output ?? ''}\n${message ?? ''}`)
    text = [item.id, item.clip, ...item.tasks, item.words, ...item.options, ...said].join('\n').toLowerCase()
    searched.set(item, text)
  }
  return text
}
