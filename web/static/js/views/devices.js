// Devices: terminals and cameras as cards, those that wait for a decision first.

import { h, icon, keyed, replace } from '../dom.js'
import { get } from '../api.js'
import { badge, code, emptyState, errorState, loading, presence, time } from '../parts.js'
import { fillStrip, noRecords, strip } from '../strip.js'
import { may, onEvents, poll } from '../live.js'
import { go, link } from '../router.js'
import { t, word } from '../strings.js'
import { noteNames } from '../known.js'
import { changeState } from './device_actions.js'
import { notUnderstood } from './device.js'

const listInterval = 15_000
const mostUnread = 20
const filters = ['all', 'online', 'offline', 'quarantined', 'refused']

export function devices(parameters) {
  let show = filterOf(parameters)
  let list = null
  const grid = h('div', { class: 'devices' })
  const place = h('div', {}, loading(5))
  const chips = h('div', { class: 'chips', role: 'group', 'aria-label': t('filter') })
  const unread = h('details', { class: 'card details', hidden: true })
  const cards = new Map()
  const watcher = new IntersectionObserver(seen => {
    for (const one of seen) cards.get(one.target.dataset.key)?.setVisible(one.isIntersecting)
  }, { rootMargin: '200px' })

  function render() {
    const counts = Object.fromEntries(filters.map(name => [name, list.filter(device => matches(device, name)).length]))
    const offered = filters.filter(name => name === 'all' || name === show || counts[name] > 0)
    replace(chips, offered.map(name => h('button', { type: 'button', class: 'chip', 'aria-pressed': String(name === show), on: { click: () => go({ view: 'devices', show: name === 'all' ? '' : name }, { replacing: true }) } },
      t(`devices.${name}`), h('span', { class: 'chip-count num' }, String(counts[name])))))
    if (list.length === 0) {
      replace(place, noDevices())
      return
    }
    const found = list.filter(device => matches(device, show)).sort(byUrgency)
    if (grid.parentElement !== place) replace(place, grid)
    keyed(grid, found, device => device.id, device => {
      const card = deviceCard(device, () => poller.now())
      cards.set(device.id, card)
      watcher.observe(card.element)
      return card.element
    }, (element, device) => cards.get(device.id).update(device))
    for (const [id, card] of cards) {
      if (card.element.isConnected) continue
      watcher.unobserve(card.element)
      cards.delete(id)
    }
  }

  async function read(signal) {
    try {
      list = (await get('/api/devices', {}, signal)).devices
      noteNames(list)
      render()
    } catch (error) {
      if (signal?.aborted) return
      if (list === null) replace(place, errorState(error, () => poller.now()))
      if (error.status === 403) poller.stop()
    }
  }

  // readUnread lists messages that were not understood, closed as they are seldom of interest.
  async function readUnread(signal) {
    try {
      const found = (await get('/api/not-understood', {}, signal)).not_understood.slice(0, mostUnread)
      unread.hidden = found.length === 0
      if (unread.open) return // it is being read
      replace(unread, h('summary', {}, `${t('devices.not_understood')} (${found.length})`), h('p', { class: 'muted small' }, t('devices.not_understood.text')), h('ul', { class: 'plain' }, found.map(notUnderstood)))
    } catch {
      // The list of devices shows what is wrong.
    }
  }

  const poller = poll(listInterval, signal => Promise.all([read(signal), readUnread(signal)]))
  const unsubscribe = [
    onEvents(['device'], () => poller.now()),
    onEvents(['recognition'], changed => {
      for (const [id, card] of cards) if (changed === null || changed.has(id)) card.refresh()
    }),
  ]
  return {
    title: t('nav.devices'),
    element: h('div', { class: 'view' }, h('div', { class: 'view-head' }, h('h1', {}, t('nav.devices')), chips), place, unread),
    update(changed) {
      show = filterOf(changed)
      if (list) render()
    },
    stop() {
      poller.stop()
      watcher.disconnect()
      for (const end of unsubscribe) end()
    },
  }
}

const filterOf = parameters => (filters.includes(parameters.show) ? parameters.show : 'all')

function matches(device, name) {
  if (name === 'all') return true
  if (name === 'online' || name === 'offline') return device.state !== 'refused' && device.online === (name === 'online')
  return device.state === name
}

const rank = device => (device.state === 'quarantined' ? 0 : device.state === 'refused' ? 3 : device.online ? 1 : 2)
const byUrgency = (a, b) => rank(a) - rank(b) || (a.display_name ?? a.id).localeCompare(b.display_name ?? b.id)

function noDevices() {
  return h('section', { class: 'card' }, emptyState('devices', t('devices.empty'), t('devices.empty.text'), code('edgelens terminal simulate --rate 0.5')))
}

// deviceCard returns a card that reads its records once it is visible.
function deviceCard(device, changed) {
  const image = h('div', { class: 'device-image' })
  const line = strip(t('device.records'))
  const empty = noRecords()
  empty.hidden = true
  const head = h('div', { class: 'device-head' })
  const actions = h('div', { class: 'actions' })
  const element = h('article', { class: 'card device' }, image, head, line, empty, actions)
  let visible = false, stale = true, reading = false, failed = false, shownImage = null

  async function refresh() {
    stale = true
    if (!visible || reading) return
    stale = failed = false
    reading = true
    try {
      const { records, last_image_url } = await get(`/api/devices/${encodeURIComponent(device.id)}/records`)
      fillStrip(line, records)
      empty.hidden = records.length > 0
      showImage(last_image_url)
    } catch (error) {
      if (error.status === 404) empty.hidden = false
      else failed = true // the next list of devices tries again
    } finally {
      reading = false
      if (stale && visible) refresh()
    }
  }

  function showImage(url) {
    if (url === shownImage) return
    shownImage = url
    if (!url) return replace(image, icon(device.dialect === 'camera' ? 'camera' : 'devices', 'device-noimage'))
    const loaded = h('img', { src: url, alt: t('device.last_image'), loading: 'lazy', decoding: 'async' })
    loaded.addEventListener('error', () => replace(image, icon('image', 'device-noimage')), { once: true })
    replace(image, loaded)
  }

  function update(next) {
    device = next
    element.className = `card device device-${device.state}`
    replace(head,
      h('div', { class: 'device-line' }, h('h2', { class: 'device-name' }, h('a', { href: link({ view: 'device', id: device.id }) }, device.display_name ?? device.id)), presence(device)),
      h('div', { class: 'badges' }, device.display_name && h('code', { class: 'small break' }, device.id), badge(word('dialect', device.dialect)),
        device.state !== 'accepted' && badge(word('device_state', device.state), device.state === 'refused' ? 'badge-bad' : 'badge-warn'),
        device.clock_problem && badge(t('device.clock_wrong'), 'badge-warn')),
      h('p', { class: 'muted small' }, t('device.last_seen'), ' ', time(device.last_seen)))
    const decides = device.state === 'quarantined' && may('devices')
    if (decides && !actions.childElementCount) replace(actions, ['accepted', 'refused'].map(state => changeState(device, state, changed)))
    if (!decides) replace(actions)
    if (failed) refresh()
  }

  showImage(null)
  update(device)
  return {
    element, update, refresh,
    setVisible(now) {
      visible = now
      if (visible && stale) refresh()
    },
  }
}
