// History: the stored recognitions, filtered by what the address has.

import { h, icon, replace } from '../dom.js'
import { address, get } from '../api.js'
import { button, emptyState, errorState, loading, outcome, time } from '../parts.js'
import { onEvents } from '../live.js'
import { go, link } from '../router.js'
import { t, word } from '../strings.js'
import { percent } from '../format.js'
import { deviceName, readNames, setting } from '../known.js'
import { thumbnail } from './now.js'

const pageSize = 50
const mostRows = 1000
const spans = { '15m': 15 * 60, '1h': 3600, '24h': 86400, '7d': 7 * 86400 }
const outcomes = ['recognized', 'uncertain', 'no_image', 'error']
const sources = ['mqtt', 'http', 'sync']

export function history(parameters) {
  let filter = parameters
  let ending = new AbortController()
  let next = null, count = 0, found = null
  const controls = h('div')
  const rows = h('ul', { class: 'rows' })
  const place = h('div', { class: 'card flush' })
  const more = h('div', { class: 'center' })
  const news = h('div', { class: 'news', 'aria-live': 'polite' })
  const hint = h('p', { class: 'muted small' })
  const exports = h('div', { class: 'actions' })

  async function read() {
    ending.abort()
    ending = new AbortController()
    const { signal } = ending
    const query = queryOf(filter)
    replace(controls, form(filter))
    replace(exports, exportLinks(query))
    replace(news)
    replace(more)
    replace(place, loading(8))
    try {
      await readNames()
      const page = await pageOf(query, null, signal)
      found = query
      replace(rows)
      count = 0
      if (page.results.length === 0) replace(place, Object.keys(query).length ? emptyState('history', t('history.no_match'), t('history.no_match.text')) : emptyState('history', t('recent.empty'), t('recent.empty.text')))
      else replace(place, rows)
      add(page)
    } catch (error) {
      if (!signal.aborted) replace(place, errorState(error, read))
    }
  }

  function add(page) {
    rows.append(...page.results.map(row))
    count += page.results.length
    next = page.next ?? null
    if (!next) replace(more)
    else if (count >= mostRows) replace(more, h('p', { class: 'muted small' }, t('history.too_many', { n: count })))
    else replace(more, button(t('history.more'), readMore))
  }

  async function readMore(pressed) {
    pressed.disabled = true
    const { signal } = ending
    try {
      add(await pageOf(found, next, signal))
    } catch (error) {
      if (!signal.aborted) replace(more, errorState(error, readMore))
    }
  }

  const unsubscribe = onEvents(['recognition'], () => {
    if (found === null || found.until || news.childElementCount) return
    replace(news, button(t('history.new'), read, { kind: 'small', iconName: 'refresh' }))
  }, 2000)
  setting('ledger.keep_sync').then(value => { if (value === 'false') hint.textContent = t('keep_sync.off') })
  read()
  return {
    title: t('nav.history'),
    element: h('div', { class: 'view' }, h('div', { class: 'view-head' }, h('h1', {}, t('nav.history')), exports), controls, news, place, more, hint),
    update(changed) {
      filter = changed
      read()
    },
    stop() {
      ending.abort()
      unsubscribe()
    },
  }
}

// pageOf returns the next page with results. One with a filter that few results match may be empty, and still have a next one.
async function pageOf(query, cursor, signal) {
  for (;;) {
    const page = await get('/api/results', cursor ? { ...query, limit: pageSize, cursor } : { ...query, limit: pageSize }, signal)
    if (page.results.length || !page.next) return page
    cursor = page.next
  }
}

// queryOf returns the query of the API for the address's parameters. A span such as 1h becomes a fixed time, so that
// later pages are of the same.
function queryOf(filter) {
  const query = {}
  for (const name of ['device', 'label', 'outcome', 'source']) if (filter[name]) query[name] = filter[name]
  if (spans[filter.last]) query.since = new Date(Date.now() - spans[filter.last] * 1000).toISOString()
  else for (const name of ['since', 'until']) if (filter[name] && !Number.isNaN(Date.parse(filter[name]))) query[name] = new Date(filter[name]).toISOString()
  return query
}

function form(filter) {
  const isCustom = Boolean(filter.since || filter.until)
  const custom = h('div', { class: 'fields', hidden: !isCustom }, field('since', h('input', { type: 'datetime-local', name: 'since', value: localTime(filter.since) })), field('until', h('input', { type: 'datetime-local', name: 'until', value: localTime(filter.until) })))
  const span = options('last', [['', t('filter.any_time')], ...Object.keys(spans).map(one => [one, t(`filter.last.${one}`)]), ['custom', t('filter.custom')]], isCustom ? 'custom' : filter.last)
  const element = h('form', { class: 'filters', role: 'search', 'aria-label': t('filter') },
    h('div', { class: 'fields' },
      field('device', h('input', { type: 'search', name: 'device', value: filter.device ?? '', maxlength: '64', placeholder: t('filter.any') })),
      field('label', h('input', { type: 'search', name: 'label', value: filter.label ?? '', maxlength: '200', placeholder: t('filter.any') })),
      field('outcome', options('outcome', [['', t('filter.any')], ...outcomes.map(one => [one, word('outcome', one)])], filter.outcome)),
      field('source', options('source', [['', t('filter.any')], ...sources.map(one => [one, word('source', one)])], filter.source)),
      field('time', span),
      h('div', { class: 'actions' }, h('button', { class: 'button primary', type: 'submit' }, t('filter.apply')), Object.keys(filter).length > 1 && h('a', { class: 'button', href: link({ view: 'history' }) }, t('filter.clear')))),
    custom)
  span.addEventListener('change', () => { custom.hidden = span.value !== 'custom' })
  element.addEventListener('change', event => { if (event.target.tagName === 'SELECT' && event.target.value !== 'custom') element.requestSubmit() })
  element.addEventListener('submit', event => {
    event.preventDefault()
    const given = Object.fromEntries(new FormData(element))
    const isRange = given.last === 'custom'
    go({ view: 'history', device: given.device.trim(), label: given.label.trim(), outcome: given.outcome, source: given.source, last: isRange ? '' : given.last,
      since: isRange ? utcTime(given.since) : '', until: isRange ? utcTime(given.until) : '' })
  })
  return element
}

const field = (name, input) => h('label', { class: 'field' }, h('span', {}, t(`filter.${name}`)), input)
const options = (name, pairs, present) => h('select', { name }, pairs.map(([value, text]) => h('option', { value, selected: value === (present ?? '') }, text)))

// localTime is a time as inputs of the browser have it: in its own zone, without one.
function localTime(text) {
  const time = new Date(text ?? '')
  if (Number.isNaN(time.getTime())) return ''
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

const utcTime = text => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : '')

function exportLinks(query) {
  return ['csv', 'ndjson'].map(format => h('a', { class: 'button small', href: address('/api/results/export', { format, ...query }), download: '' }, icon('download'), t(`export.${format}`)))
}

function row(result) {
  const best = result.result?.predictions?.[0]
  return h('li', {}, h('a', { class: 'row', href: link({ view: 'record', id: result.id }) },
    thumbnail(result),
    h('span', { class: 'row-main' }, h('span', { class: 'row-label' }, best?.label ?? result.reason ?? word('outcome', result.outcome)),
      h('span', { class: 'row-sub muted small' }, outcome(result.outcome, { quiet: true }), h('span', { class: 'clip' }, result.device ? deviceName(result.device) : word('source', result.source)))),
    h('span', { class: 'row-score num' }, best ? percent(best.probability) : ''),
    h('span', { class: 'row-outcome small' }, outcome(result.outcome)),
    h('span', { class: 'row-time small' }, time(result.created_at))))
}
