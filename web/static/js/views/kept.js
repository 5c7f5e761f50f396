// What the ledger keeps: for each kind how much, since when, and what bounds it.

import { h, replace } from '../dom.js'
import { get } from '../api.js'
import { badge, card, meter, time } from '../parts.js'
import { t, word } from '../strings.js'
import { bytes, duration, number, percent } from '../format.js'

// readKept fills a place with a card; it stays empty where the ledger cannot be read. Kinds without anything are left out.
export async function readKept(place) {
  const kept = await get('/api/ledger').catch(() => null)
  const kinds = kept?.kinds.filter(kind => kind.rows > 0 || kind.bytes > 0) ?? []
  if (kinds.length === 0) return
  const columns = ['kind', 'rows', 'bytes', 'since', 'bounds']
  replace(place, card(t('kept'), meter(t('kept.space'), kept.bytes / kept.max_bytes, { text: t('kept.of', { share: percent(kept.bytes / kept.max_bytes), all: bytes(kept.max_bytes) }) }),
    h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('kept') }, h('table', { class: 'table' },
      h('thead', {}, h('tr', {}, columns.map(name => h('th', { scope: 'col' }, t(`kept.${name}`))))), h('tbody', {}, kinds.map(row))))))
}

function row(kind) {
  return h('tr', {}, h('th', { scope: 'row' }, word('kept_kind', kind.kind)), h('td', { class: 'num' }, kind.estimated ? t('kept.about', { n: number(kind.rows) }) : number(kind.rows)), h('td', { class: 'num' }, bytes(kind.bytes)),
    h('td', {}, kind.oldest ? time(kind.oldest) : '–'),
    h('td', {}, h('span', { class: 'small' }, bounds(kind).join(', ')), kind.bound && [' ', badge(word('kept_bound', kind.bound), kind.bound === 'space' ? 'badge-bad' : '')]))
}

function bounds(kind) {
  return [kind.max_age_seconds && duration(kind.max_age_seconds), kind.max_rows && t('kept.max_rows', { n: number(kind.max_rows) }), kind.max_bytes && bytes(kind.max_bytes),
    kind.share_bytes && t('kept.share', { size: bytes(kind.share_bytes) })].filter(Boolean)
}
