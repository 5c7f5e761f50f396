// Devices: terminals and cameras as cards, those that wait for a decision first. Where there are many, a part of them.

import { h, icon, keyed, replace } from '../dom.js'
import { get } from '../api.js'
import { badge, button, code, emptyState, errorState, loading, presence, time } from '../parts.js'
import { fillStrip, noRecords, strip } from '../strip.js'
import { may, onEvents, poll } from '../live.js'
import { go, link } from '../router.js'
import { t, word } from '../strings.js'
import { noteNames } from '../known.js'
import { changeState } from './device_actions.js'
import { notUnderstood } from './device.js'

const listInterval = 15_000
const mostUnread = 20
const pageSize = 100
const mostCards = 1000
const fewDevices = 20
const typing = 300
const filters = ['all', 'online', 'offline', 'quarantined', 'refused']

export function devices(parameters) {
  let show = filterOf(parameters), search = parameters.search ?? ''
  let list = null, counts = null, size = pageSize
  const grid = h('div', { class: 'devices' })
  const place = h('div', {}, loading(5))
  const chips = h('div', { class: 'chips', role: 'group', 'aria-label': t('filter') })
  const more = h('div', { class: 'center' })
  const input = h('input', { type: 'search', name: 'search', maxlength: '100', value: search, placeholder: t('devices.search'), 'aria-label': t('devices.search'), hidden: true })
  const unread = h('details', { class: 'card details', hidden: true })
  const cards = new Map()
  const watcher = new IntersectionObserver(seen => {
    for (const one of seen) cards.get(one.target.dataset.key)?.setVisible(one.isIntersecting)
  }, { rootMargin: '200px' })

  function render() {
    const offered = filters.filter(name => name === 'all' || name === show || counts[name] > 0)
    replace(chips, offered.map(name => h('button', { type: 'button', class: 'chip', 'aria-pressed': String(name === show), on: { click: () => visit({ show: name }) } },
      t(`devices.${name}`), h('span', { class: 'chip-count num' }, String(counts[name])))))
    input.hidden = !search && counts.all <= fewDevices
    if (counts.all === 0) {
      replace(place, search ? emptyState('devices', t('history.no_match'), t('devices.no_match.text')) : noDevices())
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
      const page = await get('/api/devices', { ...queries[show], search, limit: size }, signal)
      // Those that wait for a decision are shown first, wherever they are in the list.
      const waiting = show === 'all' && page.next && page.counts.quarantined ? (await get('/api/devices', { ...queries.quarantined, search, limit: pageSize }, signal)).devices : []
      list = [...new Map([...page.devices, ...waiting].map(device => [device.id, device])).values()]
      counts = page.counts
      noteNames(list)
      render()
      if (!page.next) replace(more)
      else if (size >= mostCards) replace(more, h('p', { class: 'muted small' }, t('devices.too_many', { n: list.length })))
      else replace(more, button(t('history.more'), pressed => {
        pressed.disabled = true
        size = Math.min(size + pageSize, mostCards)
        poller.now()
      }))
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

  // visit changes what is shown, and the address with it.
  function visit(changed) {
    const next = { show, search, ...changed }
    go({ view: 'devices', show: next.show === 'all' ? '' : next.show, search: next.search }, { replacing: true })
  }

  let typed = 0
  input.addEventListener('input', () => {
    clearTimeout(typed)
    typed = setTimeout(() => visit({ search: input.value.trim() }), typing)
  })

  const poller = poll(listInterval, signal => Promise.all([read(signal), readUnread(signal)]))
  const unsubscribe = [
    onEvents(['device'], () => poller.now()),
    onEvents(['recognition'], changed => {
      for (const [id, card] of cards) if (changed === null || changed.has(id)) card.refresh()
    }),
  ]
  return {
    title: t('nav.devices'),
    element: h('div', { class: 'view' }, h('div', { class: 'view-head' }, h('h1', {}, t('nav.devices')), input, chips), place, more, unread),
    update(changed) {
      show = filterOf(changed)
      search = changed.search ?? ''
      size = pageSize
      poller.now()
    },
    stop() {
      clearTimeout(typed)
      poller.stop()
      watcher.disconnect()
      for (const end of unsubscribe) end()
    },
  }
}

const filterOf = parameters => (filters.includes(parameters.show) ? parameters.show : 'all')

// queries are the parameters of the API for each filter.
const queries = { all: {}, online: { online: true }, offline: { online: false }, quarantined: { state: 'quarantined' }, refused: { state: 'refused' } }

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
