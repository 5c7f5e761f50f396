// Builds elements. All text goes through text nodes and attributes: nothing here, or anywhere on the page, parses
// markup, and the Content-Security-Policy (require-trusted-types-for) makes the browser enforce it.

const svgNamespace = 'http://www.w3.org/2000/svg'

// h returns an element. Properties: class, on (listeners by type), style (by name), data (dataset), and attributes, of
// which null, undefined and false are left out. Children are elements, texts, and lists of them; null and false are none.
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children)
}

// s is h for SVG.
export function s(tag, properties, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), properties, children)
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue
    if (name === 'on') for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener)
    else if (name === 'style') for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one)
    else if (name === 'data') for (const [key, one] of Object.entries(value)) element.dataset[key] = one
    else element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...flat(children))
  return element
}

function flat(children) {
  return children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false)
}

// replace replaces all children of an element.
export function replace(element, ...children) {
  element.replaceChildren(...flat(children))
  return element
}

// icon returns one of the symbols of index.html. It is decoration: what it means is beside it as text.
export function icon(name, className = '') {
  return s('svg', { class: `icon ${className}`.trim(), 'aria-hidden': 'true', focusable: 'false' }, s('use', { href: `#i-${name}` }))
}

// hidden returns text that only screen readers get.
export function hidden(text) {
  return h('span', { class: 'visually-hidden' }, text)
}

// keyed updates the children of an element so that they are those of items, in order: an element stays the same while
// its item's key does, so that focus and scrolling survive. make(item) returns a new element, update(element, item) is
// called for a kept one.
export function keyed(parent, items, keyOf, make, update = () => {}) {
  const before = new Map()
  for (const child of parent.children) if (child.dataset.key !== undefined) before.set(child.dataset.key, child)
  let previous = null
  for (const item of items) {
    const key = String(keyOf(item))
    let element = before.get(key)
    if (element) {
      before.delete(key)
      update(element, item)
    } else {
      element = make(item)
      element.dataset.key = key
    }
    const place = previous ? previous.nextElementSibling : parent.firstElementChild
    if (place !== element) parent.insertBefore(element, place)
    previous = element
  }
  for (const element of before.values()) element.remove()
}
