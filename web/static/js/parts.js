// Small parts that several views are made of.

import { h, s, icon, hidden, replace } from './dom.js'
import { t, word } from './strings.js'
import { ago, fullTime, percent } from './format.js'

// outcome returns the shape and color of an outcome, with its name beside it or for screen readers alone.
export function outcome(name, { quiet = false } = {}) {
  const known = ['recognized', 'uncertain', 'no_image', 'error'].includes(name) ? name : 'unknown'
  const text = word('outcome', name)
  return h('span', { class: `outcome outcome-${known}` }, glyph(known), quiet ? hidden(text) : text)
}

// glyph is the shape of an outcome alone.
export function glyph(name) {
  return s('svg', { class: `glyph outcome-${name}`, 'aria-hidden': 'true', viewBox: '0 0 12 12' }, s('use', { href: `#g-${name}` }))
}

// time returns an element whose relative time is kept up to date by tick.
export function time(at, className = '') {
  if (!at) return h('span', { class: 'muted' }, t('unknown'))
  return h('time', { class: `num ${className}`.trim(), datetime: at, title: fullTime(at), data: { ago: '' } }, ago(at))
}

// tick updates all relative times of the page.
export function tick() {
  const now = Date.now()
  for (const element of document.querySelectorAll('time[data-ago]')) {
    const text = ago(element.dateTime, now)
    if (element.textContent !== text) element.textContent = text
  }
}

// presence shows whether a device is online, by shape and color.
export function presence(device) {
  const state = device.state === 'refused' ? 'refused' : device.online ? 'online' : 'offline'
  return h('span', { class: `presence presence-${state}` }, s('svg', { class: 'glyph', 'aria-hidden': 'true', viewBox: '0 0 12 12' }, s('use', { href: `#g-${state}` })), word('presence', state))
}

export function badge(text, kind = '') {
  return h('span', { class: `badge ${kind}`.trim() }, text)
}

// meter returns a bar for a share from 0 to 1, with its text beside it.
export function meter(label, share, { first = false, text = percent(share, 1) } = {}) {
  const width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`
  return h('div', { class: first ? 'meter meter-first' : 'meter' },
    h('div', { class: 'meter-text' }, h('span', { class: 'meter-label' }, label), h('span', { class: 'num' }, text)),
    h('div', { class: 'meter-track', 'aria-hidden': 'true' }, share > 0 && h('div', { class: 'meter-fill', style: { width } })))
}

// button returns a button; run gets it.
export function button(text, run, { kind = '', iconName = '', disabled = false, title = null, type = 'button' } = {}) {
  return h('button', { type, class: `button ${kind}`.trim(), disabled, title, on: { click: event => run(event.currentTarget) } }, iconName && icon(iconName), text)
}

// copyButton copies a text and confirms it in place.
export function copyButton(text, label = t('copy')) {
  const element = h('button', { type: 'button', class: 'button ghost small' }, icon('copy'), h('span', { 'aria-live': 'polite' }, label))
  element.addEventListener('click', async () => {
    const done = await copy(typeof text === 'function' ? text() : text)
    element.lastChild.textContent = done ? t('copied') : t('copy.failed')
    setTimeout(() => { element.lastChild.textContent = label }, 1600)
  })
  return element
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false // plain HTTP on another machine has no clipboard; the text can be selected
  }
}

// code returns lines to copy.
export function code(text) {
  return h('div', { class: 'code' }, h('pre', { tabindex: '0' }, h('code', {}, text)), copyButton(text))
}

// withCode returns a sentence of the service, in which backquotes are around what one can type.
export function withCode(text) {
  return String(text).split('`').map((part, i) => (i % 2 ? h('code', {}, part) : part))
}

// emptyState explains why there is nothing, and what to do.
export function emptyState(iconName, title, ...text) {
  return h('div', { class: 'state' }, icon(iconName, 'state-icon'), h('p', { class: 'state-title' }, title), text.map(one => (typeof one === 'string' ? h('p', { class: 'muted' }, one) : one)))
}

// loading returns placeholders for lines to come.
export function loading(lines = 3) {
  return h('div', { class: 'skeleton', role: 'status' }, hidden(t('loading')), Array.from({ length: lines }, () => h('div', { class: 'skeleton-line', 'aria-hidden': 'true' })))
}

// sentence describes an error for people.
export function sentence(error) {
  if (error?.code === 'offline') return t('error.offline')
  if (error?.code === 'timeout') return t('error.timeout')
  if (error?.status === 401) return t('error.signed_out')
  if (error?.status === 404 && error.code === 'unknown') return t('error.missing')
  return error?.message || t('error.unknown')
}

// errorState shows an error, with its request id and a way to try again.
export function errorState(error, retry) {
  const title = error?.status === 403 ? t('error.forbidden') : t('error.title')
  return h('div', { class: 'state state-error', role: 'alert' }, icon('alert', 'state-icon'), h('p', { class: 'state-title' }, title), h('p', {}, sentence(error)),
    error?.requestID && h('p', { class: 'muted small' }, t('request_id'), ' ', h('code', {}, error.requestID)),
    retry && button(t('retry'), retry, { iconName: 'refresh' }))
}

// load shows placeholders, then what make returns for the answer of read, or the error with a way to try again.
export async function load(element, read, make, lines = 3) {
  replace(element, loading(lines))
  try {
    replace(element, make(await read()))
  } catch (error) {
    if (error.name === 'AbortError') return
    replace(element, errorState(error, () => load(element, read, make, lines)))
  }
}

// notice shows a short message for some seconds; screen readers read it at once.
export function notice(text, kind = '') {
  const place = document.getElementById('notices')
  const element = h('div', { class: `notice ${kind}`.trim() }, icon(kind === 'bad' ? 'alert' : 'check'), h('span', {}, text))
  while (place.childElementCount > 2) place.firstElementChild.remove()
  place.append(element)
  setTimeout(() => element.remove(), kind === 'bad' ? 9000 : 4000)
}

// confirmed asks before what cannot be taken back; it resolves to whether the user agreed.
export function confirmed(title, text, action, kind = 'danger') {
  return new Promise(resolve => {
    const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title' },
      h('h2', { id: 'dialog-title' }, title), h('p', {}, text),
      h('form', { method: 'dialog', class: 'actions' }, h('button', { class: 'button', value: '' }, t('cancel')), h('button', { class: `button ${kind}`, value: 'yes' }, action)))
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}

// card returns a titled box.
export function card(title, ...children) {
  return h('section', { class: 'card' }, title && h('h2', { class: 'card-title' }, title), children)
}

// facts returns a list of names and values; values of null are left out.
export function facts(...pairs) {
  return h('dl', { class: 'facts' }, pairs.filter(pair => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== '').map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))))
}
