// The fields above the list. Each changes one field of the state and tells `change`.
import { classOf, element } from './row.js'

/** A group with more values than this, such as one for each clip, is left to the search. */
const longestMenu = 80

/** Fills `place` with the fields for these items; returns a function that makes them show a state. */
export function makeControls(place, { items, marks }, change) {
  const shown = []
  const add = (parent, control, show) => {
    parent.append(control)
    shown.push(show)
  }
  const outcomes = element('div', { class: 'outcomes', role: 'group', 'aria-label': 'Outcome' })
  for (const mark of ['', ...marks]) {
    const count = mark ? items.filter(item => item.mark === mark).length : items.length
    if (count === 0) continue
    const button = element('button', { type: 'button' }, `${mark || 'all'} ${count.toLocaleString('en')}`)
    if (mark) button.prepend(element('i', { class: `dot ${classOf(mark)}` }))
    button.addEventListener('click', () =>
      change(state => ({ marks: mark ? toggled(state.marks, mark) : [] })),
    )
    const isOn = state => (mark ? state.marks.includes(mark) : state.marks.length === 0)
    add(outcomes, button, state => button.setAttribute('aria-pressed', String(isOn(state))))
  }
  const fields = element('div', { class: 'fields' })
  place.append(outcomes, fields)
  for (const { label, field, kind, choices } of fieldsFor(items)) {
    const input = choices ? menuOf(choices) : element('input', kind)
    const read = state => (field.group ? state.groups[field.group] : state[field]) ?? ''
    const write = value => state =>
      field.group ? { groups: { ...state.groups, [field.group]: value } } : { [field]: value }
    input.addEventListener(choices ? 'change' : 'input', () => change(write(input.value)))
    add(fields, element('label', {}, element('span', {}, label), input), state => {
      if (input.value !== read(state)) input.value = read(state)
    })
  }
  return state => {
    for (const show of shown) show(state)
  }
}

const toggled = (list, value) => (list.includes(value) ? list.filter(one => one !== value) : [...list, value])

/** What can be filtered in these items, and the ways to sort them. */
function fieldsFor(items) {
  const distinct = read =>
    [...new Set(items.flatMap(read))].sort((one, other) => one.localeCompare(other, 'en'))
  const menu = (label, field, all, values) => ({
    label,
    field,
    choices: [['', all], ...values.map(value => [value, value])],
  })
  const menus = (label, field, all, values) =>
    values.length > 1 && values.length <= longestMenu ? [menu(label, field, all, values)] : []
  const groups = distinct(item => Object.keys(item.groups)).flatMap(name =>
    menus(
      name.replaceAll('_', ' '),
      { group: name },
      'all',
      distinct(item => item.groups[name] ?? []),
    ),
  )
  const letters = distinct(item => item.letters)
  const flags = distinct(item => item.answers.flatMap(answer => answer.flags))
  const number = { type: 'number', min: '0', step: '1', inputmode: 'numeric' }
  return [
    { label: 'text', field: 'text', kind: { type: 'search', placeholder: 'questions, outputs, ids' } },
    ...menus(
      'task',
      'task',
      'all',
      distinct(item => item.tasks),
    ),
    ...groups,
    menu('true letter', 'answer', 'any', [...letters, 'none']),
    menu('said letter', 'chosen', 'any', [...letters, 'none']),
    ...(flags.length > 0 ? [menu('answers', 'flag', 'all', flags)] : []),
    { label: 'tokens from', field: 'least', kind: number },
    { label: 'tokens to', field: 'most', kind: number },
    { label: 'sort by', field: 'sort', choices: orders },
    { label: 'order', field: 'down', choices: directions },
  ]
}

const orders = [
  ['', 'the benchmark'],
  ['length', 'length'],
  ['outcome', 'outcome'],
  ['task', 'task'],
  ['words', 'question'],
  ['id', 'id'],
]

const directions = [
  ['', 'upwards'],
  ['1', 'downwards'],
]

const menuOf = choices =>
  element('select', {}, ...choices.map(([value, text]) => element('option', { value }, text)))
