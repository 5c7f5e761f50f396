// One stored recognition: its image, what was seen, its event, and who received it.

import { h, icon, replace } from '../dom.js'
import { get } from '../api.js'
import { badge, card, code, copyButton, emptyState, facts, glyph, load, outcome, time } from '../parts.js'
import { link } from '../router.js'
import { t, word } from '../strings.js'
import { fullTime, number } from '../format.js'
import { deviceName, readNames, setting } from '../known.js'
import { correction } from './correct.js'
import { predictions, quality, timings } from './trial.js'

export function record(parameters) {
  const ending = new AbortController()
  const place = h('div', { class: 'view' })
  load(place, async () => {
    const [result, keeps] = await Promise.all([get(`/api/results/${encodeURIComponent(parameters.id ?? '')}`, {}, ending.signal), setting('ledger.keep_images'), readNames()])
    return { result, keeps }
  }, ({ result, keeps }) => page(result, keeps), 8)
  return {
    title: t('record.title'),
    element: h('div', { class: 'view' }, h('a', { class: 'back', href: link({ view: 'history' }) }, icon('back'), t('nav.history')), place),
    stop: () => ending.abort(),
  }
}

function page(stored, keeps) {
  const result = stored.result
  const best = result?.predictions?.[0]
  return [
    h('div', { class: 'view-head' }, h('h1', { class: 'break' }, best?.label ?? word('outcome', stored.outcome)), outcome(stored.outcome)),
    (stored.reason || stored.error) && h('p', { class: 'warning' }, icon('alert'), h('span', { class: 'break' }, stored.reason ?? stored.error.detail)),
    h('div', { class: 'columns' },
      h('div', {}, card(t('image'), image(stored, keeps)), result && card(t('record.seen'), predictions(result), h('div', { class: 'badges' }, quality(result.quality), result.cached && badge(t('try.cached'), 'badge-good')), timings(result.timings_ms, result.cached)), correction(stored)),
      h('div', {}, card(t('record.about'), about(stored, result)), stored.deliveries?.length ? card(t('record.deliveries'), deliveries(stored.deliveries)) : null,
        stored.event && card(t('record.event'), h('p', { class: 'muted small' }, t('record.event.text')), code(JSON.stringify(stored.event, null, 2))))),
  ]
}

function image(stored, keeps) {
  if (!stored.image_url) return emptyState('image', t('record.no_image'), keeps === 'false' ? t('record.no_image.setting') : null)
  const shown = h('img', { class: 'record-image', src: stored.image_url, alt: t('record.image_alt') })
  const element = h('a', { href: stored.image_url, target: '_blank', rel: 'noopener' }, shown)
  shown.addEventListener('error', () => replace(element, emptyState('image', t('record.no_image'))), { once: true })
  return element
}

function about(stored, result) {
  const data = stored.event?.data
  return facts(
    [t('record.time'), h('span', {}, fullTime(stored.created_at), ' (', time(stored.created_at), ')')],
    [t('filter.device'), stored.device && h('a', { class: 'break', href: link({ view: 'device', id: stored.device }) }, deviceName(stored.device))],
    [t('filter.source'), word('source', stored.source)],
    [t('record.passed'), typeof data?.passed === 'boolean' ? t(data.passed ? 'yes' : 'no') : null],
    [t('freshness'), stored.freshness && `${word('freshness', stored.freshness)}${stored.freshness_reason ? `: ${stored.freshness_reason}` : ''}`],
    [t('model'), result?.model.name],
    [t('record.size'), result && `${number(result.image.width)} × ${number(result.image.height)} ${result.image.format.toUpperCase()}`],
    [t('view.fit'), result?.view && word('fit', result.view.fit)],
    ['SHA-256', result && h('code', { class: 'break small' }, result.image.sha256)],
    [t('record.id'), h('span', { class: 'copyable' }, h('code', { class: 'break small' }, stored.id), copyButton(stored.id))])
}

const shapes = { delivered: 'recognized', waiting: 'uncertain', held: 'no_image', set_aside: 'error' }

function deliveries(list) {
  return h('ul', { class: 'plain' }, list.map(one => h('li', { class: 'delivery' },
    h('span', { class: `outcome outcome-${shapes[one.state] ?? 'unknown'}` }, glyph(shapes[one.state] ?? 'unknown'), word('delivery', one.state)),
    h('b', {}, one.sink === 'mqtt' ? 'MQTT' : one.sink), h('span', { class: 'muted small' }, t('record.attempts', { n: one.attempts })), (one.delivered_at ?? one.attempted_at) && time(one.delivered_at ?? one.attempted_at, 'muted small'),
    one.reason && h('p', { class: 'muted small break' }, one.reason))))
}
