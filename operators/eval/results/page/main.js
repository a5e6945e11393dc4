// The list of questions: unpacks them, and makes rows as one scrolls.
import { makeControls } from './controls.js'
import { element, rowOf } from './row.js'
import { emptyState, readState, select, writeState } from './state.js'

/** Rows that are added at a time. */
const step = 60

const at = id => document.getElementById(id)

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return JSON.parse(await new Response(stream).text())
}

function start(data) {
  const { items, names } = data
  const list = at('items')
  const settings = { names, sheets: JSON.parse(at('sheets').textContent) }
  let state = readState(location.hash)
  let found = []
  const rows = []
  const extend = () => {
    const more = found.slice(rows.length, rows.length + step).map(item => {
      const row = rowOf(item, settings)
      row.addEventListener('toggle', () => {
        const open = row.open ? item.id : state.open === item.id ? '' : state.open
        if (open !== state.open) keep({ ...state, open })
      })
      return row
    })
    // the browser passes over a whole block that is out of sight
    const block = element('div', { class: 'block' }, ...more)
    block.style.containIntrinsicBlockSize = `auto ${more.length * 4.6}rem`
    list.append(block)
    rows.push(...more)
    at('end').hidden = rows.length >= found.length
  }
  const keep = changed => {
    state = changed
    const fragment = writeState(state)
    history.replaceState(null, '', fragment ? `#${fragment}` : location.pathname + location.search)
  }
  const show = () => {
    found = select(items, state)
    rows.length = 0
    list.replaceChildren()
    extend()
    at('count').textContent =
      `${found.length.toLocaleString('en')} of ${items.length.toLocaleString('en')} questions`
    at('reset').hidden = found.length === items.length
    showControls(state)
  }
  const showControls = makeControls(at('controls'), data, change => {
    keep({ ...state, ...change(state), open: '' })
    show()
  })
  /** Opens the question that a link names, wherever it is in the list. */
  const reveal = () => {
    const index = state.open ? found.findIndex(({ id }) => id === state.open) : -1
    if (index < 0) return
    while (index >= rows.length) extend()
    const row = rows[index]
    row.open = true
    row.scrollIntoView()
  }
  const follow = () => {
    state = readState(location.hash)
    show()
    if (state.open) reveal()
    else if (location.hash) at('questions').scrollIntoView()
  }
  at('reset').addEventListener('click', () => {
    keep(emptyState())
    show()
  })
  addEventListener('hashchange', follow)
  // watched anew after each step: the end may still be near
  const observer = new IntersectionObserver(
    entries => {
      if (!entries.some(entry => entry.isIntersecting)) return
      extend()
      observer.unobserve(at('end'))
      observer.observe(at('end'))
    },
    { rootMargin: '1500px' },
  )
  observer.observe(at('end'))
  follow()
}

unpack(at('data').textContent)
  .then(start)
  .catch(error => {
    at('count').replaceChildren(
      element('b', { class: 'bad' }, `The questions cannot be shown: ${error.message}`),
    )
  })
