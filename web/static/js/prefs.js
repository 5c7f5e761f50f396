// What this browser prefers: kept in its storage where it has one, else until the page is closed.

const prefix = 'edgelens.'
const memory = new Map()

export function preference(name, otherwise) {
  try {
    return localStorage.getItem(prefix + name) ?? memory.get(name) ?? otherwise
  } catch {
    return memory.get(name) ?? otherwise
  }
}

// prefer keeps a preference; null forgets it.
export function prefer(name, value) {
  if (value === null) memory.delete(name)
  else memory.set(name, value)
  try {
    if (value === null) localStorage.removeItem(prefix + name)
    else localStorage.setItem(prefix + name, value)
  } catch {
    // The storage is full or forbidden: the preference lasts as long as the page.
  }
}

// theme is auto, light or dark.
export const theme = () => preference('theme', 'auto')

export function setTheme(name) {
  prefer('theme', name === 'auto' ? null : name)
  if (name === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = name
  window.dispatchEvent(new Event('themechange'))
}

// color returns the present value of a color of css/base.css, for drawing.
export const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
