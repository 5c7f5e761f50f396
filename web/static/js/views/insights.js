// Insights: what was concluded from the sensors and the service's own streams, and what to do about it.

import { h, icon, keyed, replace } from '../dom.js'
import { get } from '../api.js'
import { badge, emptyState, time } from '../parts.js'
import { poll } from '../live.js'
import { t, word } from '../strings.js'
import { percent } from '../format.js'

const interval = 10_000
const shown = 20

export function insights() {
  const list = h('ul', { class: 'plain insights' })
  const place = h('div', {}, emptyState('check', t('insights.empty')))
  const element = h('section', { class: 'card' }, h('h2', { class: 'card-title' }, t('insights.title')), place)
  const poller = poll(interval, async signal => {
    try {
      const found = (await get('/api/insights', { limit: shown }, signal)).insights
      if (found.length === 0) return replace(place, emptyState('check', t('insights.empty')))
      keyed(list, found, one => one.id, insight)
      if (list.parentElement !== place) replace(place, list)
    } catch (error) {
      if (error.status === 404 || error.status === 403) {
        element.hidden = true
        poller.stop()
      }
    }
  })
  return { element, stop: poller.stop }
}

const kinds = { critical: 'badge-bad', warning: 'badge-warn' }

function insight(one) {
  const over = one.state === 'cleared'
  return h('li', { class: `insight insight-${!over && kinds[one.severity] ? one.severity : 'info'}` },
    h('div', { class: 'badges' }, over ? badge(t('insights.over'), 'badge-good') : badge(word('severity', one.severity), kinds[one.severity]), h('span', { class: 'muted small break' }, [one.device, one.field].filter(Boolean).join(' ')), time(one.at, 'muted small')),
    h('p', {}, one.summary, Number.isFinite(one.confidence) && h('span', { class: 'muted small' }, ` ${t('insights.confidence', { share: percent(one.confidence) })}`)),
    one.actions?.length ? h('ul', { class: 'insight-actions' }, one.actions.map(action => h('li', {}, icon('flat'), h('span', {}, action)))) : null)
}
