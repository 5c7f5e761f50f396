// The strip of a device's last records: one shape each, the newest at the right. It is one stop of the Tab key; the
// arrow keys move in it.

import { h, keyed } from './dom.js'
import { glyph } from './parts.js'
import { link } from './router.js'
import { t, word } from './strings.js'
import { dateTime, percent } from './format.js'

export const stripLength = 50

// strip returns an element; fillStrip shows records in it, newest first as the service lists them.
export function strip(label) {
  const element = h('div', { class: 'strip', role: 'group', 'aria-label': label })
  element.addEventListener('keydown', move)
  return element
}

export function fillStrip(element, records) {
  const ordered = records.slice(0, stripLength).reverse()
  keyed(element, ordered, record => record.result_id, mark)
  const marks = [...element.children]
  if (!marks.some(one => one.tabIndex === 0) && marks.length) marks.at(-1).tabIndex = 0
}

function mark(record) {
  const known = ['recognized', 'uncertain', 'no_image', 'error'].includes(record.outcome) ? record.outcome : 'unknown'
  const text = describe(record)
  return h('a', { class: 'strip-mark', href: link({ view: 'record', id: record.result_id }), tabindex: '-1', 'aria-label': text, data: { tip: text } }, glyph(known))
}

function describe(record) {
  const what = record.label ? `${record.label} ${percent(record.probability)}` : record.reason ?? ''
  const late = record.freshness && record.freshness !== 'fresh' ? `, ${word('freshness', record.freshness)}` : ''
  return `${word('outcome', record.outcome)}${late}${what ? `: ${what}` : ''} · ${dateTime(record.at)}`
}

function move(event) {
  const marks = [...event.currentTarget.children]
  const at = marks.indexOf(document.activeElement)
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: marks.length - 1 }[event.key]
  if (to === undefined || at < 0 || !marks[to]) return
  event.preventDefault()
  marks[at].tabIndex = -1
  marks[to].tabIndex = 0
  marks[to].focus()
}

// noRecords is what a strip without records has beside it.
export const noRecords = () => h('p', { class: 'muted small' }, t('device.no_records'))
