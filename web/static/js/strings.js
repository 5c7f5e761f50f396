// The texts of the page, from the one table strings.json: each has English and Chinese.

import { preference, prefer } from './prefs.js'

export const languages = { en: 'English', zh: '中文' }

const table = await load()

async function load() {
  const response = await fetch(new URL('../strings.json', import.meta.url))
  if (!response.ok) throw new Error(`strings.json: ${response.status}`)
  return response.json()
}

// language is the one that the user chose, or else the first of the browser's that the page has.
export const language = chosen()

function chosen() {
  const preferred = preference('language', '')
  if (preferred in languages) return preferred
  const spoken = navigator.languages ?? [navigator.language]
  return spoken.map(tag => tag.toLowerCase().split('-')[0]).find(tag => tag in languages) ?? 'en'
}

export function setLanguage(name) {
  prefer('language', name)
  location.reload()
}

const plurals = new Intl.PluralRules(language)

// t returns a text, with {name} replaced by values. A text with the plurals key.one and key.other is chosen by
// values.n. A missing text shows as its key, which a test prevents.
export function t(key, values) {
  const entry = table[key] ?? (values && 'n' in values && (table[`${key}.${plurals.select(Number(values.n))}`] ?? table[`${key}.other`]))
  const text = entry ? entry[language] : key
  return values ? text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all) : text
}

// word returns the text of a value of the API, of a family such as outcome; the value itself where the page does not
// know it: a newer service may have more.
export function word(family, value) {
  const entry = table[`${family}.${value}`]
  return entry ? entry[language] : String(value)
}
