// Now: is all well, what does a photo show, and what is going on.

import { h, icon, keyed, replace } from '../dom.js'
import { get } from '../api.js'
import { draw, sparkline } from '../sparkline.js'
import { emptyState, errorState, glyph, loading, outcome, time, withCode } from '../parts.js'
import { level, problems } from '../attention.js'
import { may, onEvents, poll, watch } from '../live.js'
import { link } from '../router.js'
import { t, word } from '../strings.js'
import { milliseconds, number, percent, short, unknown } from '../format.js'
import { deviceName, readNames, setting } from '../known.js'
import { statesCard } from './states.js'
import { trial } from './trial.js'

const shown = 6
const activityInterval = 5000
// The lines show this many steps at least: those before the start of the service are a gap.
const fewestSteps = 24

export function now() {
  const status = statusCard()
  const cards = activityCards()
  const photo = trial()
  const states = statesCard()
  const recent = recentCard()
  return {
    title: t('nav.now'),
    element: h('div', { class: 'view view-now' },
      h('h1', { class: 'visually-hidden' }, t('nav.now')),
      h('div', { class: 'now-status' }, status.element),
      h('div', { class: 'now-try' }, photo.element),
      h('div', { class: 'now-cards' }, cards.element),
      h('div', { class: 'now-recent' }, states.element, recent.element)),
    stop() {
      for (const part of [status, cards, photo, states, recent]) part.stop()
    },
  }
}

// statusCard explains what this is, whether all is well and, if not, what to do.
function statusCard() {
  const element = h('section', { class: 'card status' })
  let before = ''
  const show = () => {
    const found = problems(), now = level()
    const text = JSON.stringify([now, found])
    if (text === before) return
    before = text
    element.className = `card status status-${now}`
    replace(element,
      h('div', { class: 'status-head' }, icon(now === 'ok' ? 'check' : now === 'unknown' ? 'refresh' : 'alert', 'status-icon'),
        h('div', {}, h('p', { class: 'status-title' }, t(`status.${now}`)), h('p', { class: 'muted' }, t('about')))),
      found.length > 0 && h('ul', { class: 'conditions' }, found.map(one => h('li', { class: `condition condition-${one.severity}` },
        h('span', { class: 'condition-name' }, word('condition', one.name)), h('span', { class: 'break' }, withCode(one.reason))))))
  }
  show()
  return { element, stop: watch(show) }
}

const measures = [
  { key: 'rate', link: { view: 'history', last: '15m' }, now: a => short(a.now.answered_per_second), unit: '/s', series: (step, seconds) => step.answered / seconds },
  { key: 'p95', link: { view: 'system' }, now: a => (a.now.p95_ms === null ? unknown : milliseconds(a.now.p95_ms)), series: step => step.p95_ms },
  { key: 'refused', link: { view: 'history', outcome: 'error', last: '15m' }, now: a => number(a.now.refused_last_minute), series: step => step.refused, bad: a => a.now.refused_last_minute > 0 },
  { key: 'queue', link: { view: 'history', source: 'http', last: '15m' }, now: a => number(a.now.waiting + a.now.queued), series: step => step.waiting + step.queued },
]

function activityCards() {
  const tiles = measures.map(measure => {
    const value = h('span', { class: 'tile-value num' }, unknown)
    const line = sparkline()
    const element = h('a', { class: 'tile', href: link(measure.link) }, h('span', { class: 'tile-label' }, t(`activity.${measure.key}`)), value, line,
      h('span', { class: 'tile-note' }, t(`activity.${measure.key}.note`)))
    return { measure, value, line, element }
  })
  const element = h('div', { class: 'tiles' }, tiles.map(tile => tile.element))
  const show = activity => {
    for (const { measure, value, line, element } of tiles) {
      replace(value, measure.now(activity), measure.unit && h('span', { class: 'tile-unit' }, measure.unit))
      const known = activity.steps.map(step => measure.series(step, activity.step_seconds))
      draw(line, [...Array(Math.max(0, fewestSteps - known.length)).fill(null), ...known])
      element.classList.toggle('tile-bad', Boolean(measure.bad?.(activity)))
    }
  }
  const poller = poll(activityInterval, async signal => {
    try {
      show(await get('/api/activity', { window: '15m' }, signal))
    } catch (error) {
      if (error.status === 403 || error.status === 404) poller.stop()
    }
  })
  return { element, stop: poller.stop }
}

function recentCard() {
  const list = h('ul', { class: 'recent' })
  const place = h('div', {}, loading(4))
  const hint = h('p', { class: 'muted small' })
  const element = h('section', { class: 'card' },
    h('div', { class: 'card-head' }, h('h2', { class: 'card-title' }, t('recent.title')), h('a', { class: 'more', href: link({ view: 'history' }) }, t('recent.all'))), place, hint)
  let stopped = false
  if (!may('results', 'page')) {
    replace(place, emptyState('history', t('recent.forbidden'), t('scope.needed', { scope: 'results' })))
    return { element, stop() {} }
  }
  const read = async () => {
    try {
      const { results } = await get('/api/results', { limit: shown })
      if (stopped) return
      if (results.length === 0) return replace(place, emptyState('history', t('recent.empty'), t('recent.empty.text')))
      keyed(list, results, result => result.id, recentRow)
      if (list.parentElement !== place) replace(place, list)
    } catch (error) {
      if (!stopped && !list.isConnected) replace(place, errorState(error, read))
    }
  }
  readNames().then(read)
  setting('ledger.keep_sync').then(value => { if (value === 'false') hint.textContent = t('keep_sync.off') })
  const unsubscribe = onEvents(['recognition'], read)
  return {
    element,
    stop() {
      stopped = true
      unsubscribe()
    },
  }
}

function recentRow(result) {
  const best = result.result?.predictions?.[0]
  const title = best?.label ?? word('outcome', result.outcome)
  const from = result.device ? deviceName(result.device) : word('source', result.source)
  return h('li', {}, h('a', { class: 'recent-row', href: link({ view: 'record', id: result.id }) },
    thumbnail(result),
    h('span', { class: 'recent-text' }, h('span', { class: 'recent-label' }, title), h('span', { class: 'recent-from muted small' }, outcome(result.outcome, { quiet: true }), h('span', { class: 'clip' }, from))),
    h('span', { class: 'recent-side' }, best && h('span', { class: 'num' }, percent(best.probability)), time(result.created_at, 'muted small'))))
}

// thumbnail shows a result's image where it is kept, else its outcome's shape.
export function thumbnail(result) {
  const placeholder = () => h('span', { class: `thumb thumb-empty outcome-${result.outcome}` }, glyph(result.outcome))
  if (!result.image_url) return placeholder()
  const image = h('img', { class: 'thumb', src: result.image_url, alt: '', loading: 'lazy', decoding: 'async', width: '44', height: '44' })
  image.addEventListener('error', () => image.replaceWith(placeholder()), { once: true })
  return image
}

