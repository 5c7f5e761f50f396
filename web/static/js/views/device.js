// One device: its last image, its last records, what can be done with it, and what was counted.

import { h, icon, replace } from '../dom.js'
import { get } from '../api.js'
import { badge, card, errorState, facts, loading, presence, time } from '../parts.js'
import { fillStrip, noRecords, strip } from '../strip.js'
import { may, onEvents, poll } from '../live.js'
import { go, link } from '../router.js'
import { t, word } from '../strings.js'
import { dateTime, milliseconds, number } from '../format.js'
import { changeState, commands, forget, rename } from './device_actions.js'
import { setPageTitle } from '../attention.js'

const interval = 15_000
const states = ['accepted', 'quarantined', 'refused']

export function device(parameters) {
  const id = parameters.id ?? ''
  const path = `/api/devices/${encodeURIComponent(id)}`
  const element = h('div', { class: 'view' }, loading(6))
  const parts = { head: h('div', { class: 'device-head' }), image: h('div', { class: 'device-image device-image-large' }), line: strip(t('device.records')), empty: noRecords(), admin: h('div'), about: h('div'), unread: h('div') }
  const sending = may('commands') ? commands({ id }) : null
  let built = false, drawn = '', shownImage

  function build() {
    built = true
    replace(element, h('a', { class: 'back', href: link({ view: 'devices' }) }, icon('back'), t('nav.devices')), parts.head,
      h('div', { class: 'columns' },
        h('div', {}, card(t('device.records'), parts.image, parts.line, parts.empty, h('a', { class: 'more', href: link({ view: 'history', device: id }) }, t('device.history'))), parts.unread),
        h('div', {}, parts.admin, sending && card(t('command.heading'), h('p', { class: 'muted small' }, t('command.text')), sending.element), parts.about)))
  }

  function render(one) {
    if (!built) build()
    setPageTitle(one.display_name ?? one.id)
    replace(parts.head, h('div', { class: 'view-head' }, h('h1', { class: 'break' }, one.display_name ?? one.id), presence(one)),
      h('div', { class: 'badges' }, one.display_name && h('code', { class: 'break' }, one.id), badge(word('dialect', one.dialect)), badge(word('device_state', one.state), { accepted: 'badge-good', refused: 'badge-bad' }[one.state] ?? 'badge-warn')))
    const decided = JSON.stringify([one.state, one.display_name])
    if (decided !== drawn) { // redrawing would take the name from under the user's hands
      drawn = decided
      replace(parts.admin, may('devices') ? administration(one) : null)
    }
    replace(parts.about, card(t('device.about'), aboutOf(one)))
    replace(parts.unread, one.not_understood?.length ? card(t('device.not_understood'), h('ul', { class: 'plain' }, one.not_understood.map(notUnderstood))) : null)
  }

  function administration(one) {
    return card(t('device.manage'), h('p', { class: 'muted small' }, t(`device.is.${one.state}`)), rename(one, render),
      h('div', { class: 'actions' }, states.filter(state => state !== one.state).map(state => changeState(one, state, render)), forget(one, () => go({ view: 'devices' }))))
  }

  async function readRecords(signal) {
    try {
      const { records, last_image_url } = await get(`${path}/records`, {}, signal)
      fillStrip(parts.line, records)
      parts.empty.hidden = records.length > 0
      if (last_image_url === shownImage) return
      shownImage = last_image_url
      replace(parts.image, last_image_url && h('img', { src: last_image_url, alt: t('device.last_image') }))
    } catch {
      // The device itself shows what is wrong; its records are tried again.
    }
  }

  async function read(signal) {
    try {
      render(await get(path, {}, signal))
      await readRecords(signal)
    } catch (error) {
      if (signal?.aborted) return
      if (!built || error.status === 404) replace(element, h('a', { class: 'back', href: link({ view: 'devices' }) }, icon('back'), t('nav.devices')), errorState(error, error.status === 404 ? null : () => poller.now()))
      if (error.status === 404 || error.status === 403) poller.stop()
    }
  }

  const poller = poll(interval, read)
  const unsubscribe = onEvents(['device', 'recognition'], changed => { if (changed === null || changed.has(id)) poller.now() })
  return {
    title: id, element,
    stop() {
      poller.stop()
      unsubscribe()
      sending?.stop()
    },
  }
}

function aboutOf(one) {
  const counters = Object.entries(one.counters).filter(([, n]) => typeof n === 'number' && n > 0)
  return [
    one.clock_problem && h('p', { class: 'warning' }, icon('alert'), h('span', {}, one.clock_problem)),
    facts([t('device.last_seen'), time(one.last_seen)], [t('device.first_seen'), one.first_seen && dateTime(one.first_seen)],
      [t('device.zone'), one.zone], [t('device.charset'), one.charset], [t('view.fit'), one.fit && word('fit', one.fit)],
      [t('device.clock'), one.clock_offset_ms === undefined ? null : `${one.clock_offset_ms > 0 ? '+' : ''}${milliseconds(one.clock_offset_ms)}`]),
    h('h3', { class: 'small-title' }, t('device.counters')),
    facts(...counters.map(([name, n]) => [word('counter', name), h('span', { class: 'num' }, number(n))])),
  ]
}

// notUnderstood returns an item about a kind of messages.
export function notUnderstood(one) {
  return h('li', {}, h('p', {}, one.reason, ' ', badge(`× ${number(one.count)}`), ' ', time(one.last, 'muted small')), h('p', { class: 'muted small break' }, one.topic), h('pre', { class: 'excerpt', tabindex: '0' }, one.excerpt))
}
