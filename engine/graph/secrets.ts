import { Buffer } from '../platform/files.ts'
import { isObject } from '../shared/json.ts'

/** Values from the environment, each with the text that replaces it: `${env:NAME}`. */
export type Secrets = ReadonlyMap<string, string>

/** Shorter values occur in texts by chance, so they are not hidden. */
const shortest = 4

/** The text with the names of variables in place of their values, however the values are written. */
export function hide(text: string, secrets: Secrets): string {
  if (secrets.size === 0) return text
  const found = formsIn(secrets)
    .flatMap(form => placesOf(form, text))
    .sort((a, b) => a.begin - b.begin || b.end - a.end)
  let hidden = ''
  let end = 0
  for (const place of found) {
    // of values that overlap, the rest of the later one is left out with it
    if (place.begin >= end) hidden += text.slice(end, place.begin) + place.name
    end = Math.max(end, place.end)
  }
  return hidden + text.slice(end)
}

/** The same in all texts of a JSON value, keys included. */
export function hideIn<T>(value: T, secrets: Secrets): T {
  if (secrets.size === 0) return value
  // texts stay texts, lists lists and objects objects
  return hidden(value, secrets) as T
}

function hidden(value: unknown, secrets: Secrets): unknown {
  if (typeof value === 'string') return hide(value, secrets)
  if (Array.isArray(value)) return value.map(item => hidden(item, secrets))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [hide(key, secrets), hidden(item, secrets)]),
  )
}

/** A way to write a value, and the name of its variable. */
interface Form {
  text: string
  name: string
}

const forms = new WeakMap<Secrets, { size: number; list: readonly Form[] }>()

/** All ways to write the values; they are computed again when a value was added. */
function formsIn(secrets: Secrets): readonly Form[] {
  const known = forms.get(secrets)
  if (known?.size === secrets.size) return known.list
  const list = [...secrets].flatMap(([value, name]) =>
    value.length < shortest ? [] : [...waysToWrite(value)].map(text => ({ text, name })),
  )
  forms.set(secrets, { size: secrets.size, list })
  return list
}

/** As it is; in JSON, once and twice; in addresses and forms; in markup; in base64, also within a longer text. */
function waysToWrite(value: string): Set<string> {
  const inJson = JSON.stringify(value).slice(1, -1)
  const ascii = inJson.replace(
    /[\u0080-\uffff]/g,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const inAddress = encodeURIComponent(Buffer.from(value).toString())
  const markup = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const quoted = markup.replaceAll('"', '&quot;')
  const ways = [
    value,
    inJson,
    JSON.stringify(inJson).slice(1, -1),
    ascii,
    inAddress,
    inAddress.replace(/%../g, code => code.toLowerCase()),
    inAddress.replaceAll('%20', '+'),
    new URLSearchParams({ '': value }).toString().slice(1),
    markup,
    quoted,
    quoted.replaceAll("'", '&#39;'),
  ]
  const bytes = Buffer.from(value)
  for (let before = 0; before < 3; before++) {
    const all = Buffer.concat([Buffer.alloc(before), bytes])
    // characters that also hold bits of what is before or after are not its own
    const own = all.toString('base64').slice(Math.ceil((before * 4) / 3), Math.floor((all.length * 4) / 3))
    ways.push(own, own.replaceAll('+', '-').replaceAll('/', '_'))
  }
  return new Set(ways.filter(way => way.length >= shortest))
}

function placesOf({ text: form, name }: Form, text: string): { begin: number; end: number; name: string }[] {
  const places = []
  for (let begin = text.indexOf(form); begin >= 0; begin = text.indexOf(form, begin + form.length))
    places.push({ begin, end: begin + form.length, name })
  return places
}
